-- Grain: one row, the log entry in which a version was recorded.
-- Parameters: version.
select
    l.position,
    encode(l.hash, 'hex') as hash
from public.blacklist_versions as v
inner join public.audit_log as l on v.entry = l.entry
where v.version = :version
