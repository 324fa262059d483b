-- Grain: one row per cohort that was decided.
-- Role: recheck.
select distinct cohort
from decisions
where status = 'made'
order by cohort
