-- Grain: one row per extended deadline of a cohort, with the day of its announcement.
-- Parameters: cohort.
-- Role: recheck.
select
    deadline_on,
    announced_on
from extensions
where cohort = :cohort
order by deadline_on
