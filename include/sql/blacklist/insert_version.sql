-- Grain: one version, one higher than the last, and never older than it: a publisher that has waited for another brings
-- an earlier instant along.
-- Parameters: occasion, at, has_changed, data_as_of, key_id.
-- Role: publish.
insert into blacklist_versions (version, occasion, created_at, changed_at, data_as_of, key_id)
select
    coalesce(max(v.version), 0) + 1,
    :occasion,
    greatest(:at, max(v.created_at)),
    case
        when :has_changed or max(v.version) is null then greatest(:at, max(v.created_at))
        else (array_agg(v.changed_at order by v.version desc))[1]
    end,
    cast(:data_as_of as jsonb),
    :key_id
from blacklist_versions as v
returning version
