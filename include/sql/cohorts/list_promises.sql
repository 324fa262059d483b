-- Grain: one row per cohort whose deadline was extended by a day: the latest deadline that was promised to it.
-- Parameters: known_by.
select distinct on (cohort)
    cohort,
    deadline_on,
    announced_on,
    because
from extensions
where announced_on <= :known_by
order by cohort, deadline_on desc
