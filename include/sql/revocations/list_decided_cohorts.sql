-- Grain: one row per cohort that has a decision, in the order of their announcement, also of those that the calendar
-- has no more.
select d.cohort
from decisions as d
where d.status = 'made'
group by d.cohort
order by min(d.announced_on), d.cohort
