-- Grain: one date, the latest deadline that was promised to a cohort by a day, or null.
-- Parameters: cohort, known_by.
select max(deadline_on)
from extensions
where cohort = :cohort and announced_on <= :known_by
