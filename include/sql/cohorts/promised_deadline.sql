-- Grain: one date, the latest deadline that was promised to a cohort by a day, or null.
-- Parameters: cohort, as_of.
select max(deadline_on)
from extensions
where cohort = :cohort and announced_on <= :as_of
