-- Grain: one row, the latest version that an occasion published (or null), and when the latest of all was made.
-- Parameters: occasion.
select
    max(version) filter (where occasion = :occasion) as version,
    (array_agg(created_at order by version desc))[1] as last_created_at
from blacklist_versions
