-- Grain: one row per version, in order: the position and hash of the entry in which it was recorded (null if the log
-- has no such entry), and whether its list was recorded as published.
-- Parameters: none.
select
    v.version,
    v.entry,
    l.position,
    encode(l.hash, 'hex') as hash,
    v.version in (select p.version from public.published_lists as p) as is_published
from public.blacklist_versions as v
left join public.audit_log as l on v.entry = l.entry
order by v.version
