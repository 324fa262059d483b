-- Grain: one change per recipient of a version.
-- Parameters: version; revoked_by, reinstated_by: what happened later is for a later version; ops: whether additions,
-- withdrawals or both do not wait; unsigned: the batches whose people are not to be added.
-- Duty: publish.
insert into blacklist_changes (version, op, recipient_id, reason)
select
    :version,
    p.op,
    p.recipient_id,
    p.reason
from pending_changes(:revoked_by, :reinstated_by) as p
where p.op = any(cast(:ops as text[])) and (p.op <> 'ADD' or p.digest <> all(cast(:unsigned as text[])))
