-- Grain: one row per roster that was looked at before.
select
    cohort,
    status,
    fingerprint,
    sha256
from rosters
order by roster_id
