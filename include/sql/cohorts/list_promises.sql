-- Grain: one row per cohort with an extension announced on or before a day: the latest promised deadline.
-- Parameters: as_of.
select distinct on (cohort)
    cohort,
    deadline_on,
    announced_on,
    because
from extensions
where announced_on <= :as_of
order by cohort, deadline_on desc
