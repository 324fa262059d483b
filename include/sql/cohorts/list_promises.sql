-- Grain: one row per cohort whose deadline was extended by a day: the latest deadline that was promised to it.
-- Parameters: as_of.
select distinct on (cohort)
    cohort,
    deadline_on,
    announced_on,
    because
from extensions
where announced_on <= :as_of
order by cohort, deadline_on desc
