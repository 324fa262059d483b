-- Grain: one row per recipient of the cohort: where they stand for the deadline decision. Gone with the transaction.
-- Parameters: cohort, announced_on, deadline_on, settlement_days, last_business_date, as_of.
create temporary table decided on commit drop as
select *
from
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, :last_business_date, :as_of,
        wib_midnight(cast(:deadline_on as date) + 1)
    )
