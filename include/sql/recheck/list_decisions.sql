-- Grain: one row per decision made about a cohort.
-- Parameters: cohort.
-- Role: recheck.
select
    decision_id,
    announced_on,
    deadline_on,
    settlement_days,
    as_of
from decisions
where cohort = :cohort and status = 'made'
order by deadline_on
