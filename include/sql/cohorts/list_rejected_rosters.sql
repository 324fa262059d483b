-- Grain: one row per cohort without an accepted roster whose roster was rejected: the latest reason.
-- Parameters: none.
select distinct on (r.cohort)
    r.cohort,
    r.reason,
    r.detail
from rosters as r
where
    r.status = 'rejected'
    and not exists (select from rosters as a where a.cohort = r.cohort and a.status = 'accepted')
order by r.cohort, r.roster_id desc
