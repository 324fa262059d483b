-- Grain: one row per cohort whose roster was rejected and that has none: why the latest was.
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
