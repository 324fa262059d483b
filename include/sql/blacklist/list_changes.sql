-- Grain: one row per change of a version.
-- Parameters: version.
select
    c.op,
    p.nik,
    p.cohort,
    c.reason,
    extract(epoch from r.effective_at)::bigint as effective_at,
    r.decision_id
from blacklist_changes as c
inner join revocations as r on c.recipient_id = r.recipient_id
inner join recipients as p on c.recipient_id = p.recipient_id
where c.version = :version
