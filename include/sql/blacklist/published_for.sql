-- Grain: one row, the latest version that an occasion published (or null), when the latest of all was made, and the
-- server's own clock: an instant is held against it before it is published, and nothing else follows from it.
-- Parameters: occasion.
select
    max(version) filter (where occasion = :occasion) as version,
    (array_agg(created_at order by version desc))[1] as last_created_at,
    clock_timestamp() as server_now
from blacklist_versions
