-- Grain: one row per recipient of an undecided cohort, where they stand.
-- Parameters: cohort, announced_on, deadline_on, settlement_days, last_business_date, as_of.
select
    recipient_id,
    outcome,
    because
from
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, :last_business_date, :as_of,
        wib_midnight(cast(:deadline_on as date) + 1)
    )
