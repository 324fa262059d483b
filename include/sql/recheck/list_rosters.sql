-- Grain: at most one row, the accepted roster of a cohort.
-- Parameters: cohort.
-- Role: recheck.
select sha256
from rosters
where cohort = :cohort and status = 'accepted'
