-- Grain: one row per cohort that was decided.
-- Duty: recheck.
select distinct cohort
from decisions
where status = 'made'
order by cohort
