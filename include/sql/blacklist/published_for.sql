-- Grain: one row, the latest version that an occasion published (or null), when the latest of all was made, and now.
-- Parameters: occasion.
select
    max(version) filter (where occasion = :occasion) as version,
    (array_agg(created_at order by version desc))[1] as last_created_at,
    now() as now
from blacklist_versions
