-- Grain: one date, the latest deadline promised to a cohort on or before a day, or null.
-- Parameters: cohort, as_of.
select max(deadline_on)
from extensions
where cohort = :cohort and announced_on <= :as_of
