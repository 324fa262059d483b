-- Grain: one change per recipient of a version.
-- Parameters: version; revoked_by, reinstated_by: what happened later is for a later version.
-- Duty: publish.
insert into blacklist_changes (version, op, recipient_id, reason)
select
    :version,
    p.op,
    p.recipient_id,
    p.reason
from pending_changes(:revoked_by, :reinstated_by) as p
