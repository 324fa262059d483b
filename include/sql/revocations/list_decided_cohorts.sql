-- Grain: one row per cohort that has a decision, in the order of announcement. The calendar may no longer have it.
-- Parameters: none.
select d.cohort
from decisions as d
where d.status = 'made'
group by d.cohort
order by min(d.announced_on), d.cohort
