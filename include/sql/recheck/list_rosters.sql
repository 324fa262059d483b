-- Grain: one row per accepted roster of a cohort: one, or none.
-- Parameters: cohort.
-- Role: recheck.
select sha256
from rosters
where cohort = :cohort and status = 'accepted'
