-- Grain: one row per version, in order.
select
    version,
    occasion,
    created_at,
    changed_at,
    data_as_of,
    key_id
from blacklist_versions
order by version
