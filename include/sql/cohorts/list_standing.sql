-- Grain: one row per asked recipient of an undecided cohort, where they stand.
-- Parameters: recipient_ids; cohort, announced_on, deadline_on, settlement_days, last_business_date, as_of.
select
    recipient_id,
    outcome,
    because
from
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, :last_business_date, :as_of,
        wib_midnight(cast(:deadline_on as date) + 1)
    )
where recipient_id = any(cast(:recipient_ids as bigint[]))
