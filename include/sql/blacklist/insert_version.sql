-- Grain: one version, one higher than the last.
-- Parameters: occasion, at, has_changed, data_as_of.
insert into blacklist_versions (version, occasion, created_at, changed_at, data_as_of)
select
    coalesce(max(version), 0) + 1,
    :occasion,
    :at,
    case when :has_changed or max(version) is null then :at else max(changed_at) end,
    cast(:data_as_of as jsonb)
from blacklist_versions
returning version
