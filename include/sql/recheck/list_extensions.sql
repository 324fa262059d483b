-- Grain: one row per deadline that a cohort's was moved to, with the day on which that was announced.
-- Parameters: cohort.
-- Role: recheck.
select
    deadline_on,
    announced_on
from extensions
where cohort = :cohort
order by deadline_on
