-- Grain: one row per decided cohort.
-- Parameters: none.
-- Role: recheck.
select distinct cohort
from decisions
where status = 'made'
order by cohort
