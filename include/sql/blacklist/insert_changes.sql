-- Grain: one change per recipient of a version, two of whom another NIK was corrected.
-- Parameters: version; revoked_by, reinstated_by: what happened later is for a later version; ops: whether additions,
-- withdrawals or both do not wait; unsigned: the batches whose people are neither to be added nor withdrawn; waiting:
-- people who are not to be added.
-- Role: publish.
insert into blacklist_changes (version, op, recipient_id, reason, nik_correction_id)
select
    :version,
    p.op,
    p.recipient_id,
    p.reason,
    p.nik_correction_id
from pending_changes(:revoked_by, :reinstated_by) as p
where
    case
        when p.is_replacement then p.recipient_id <> all(cast(:waiting as bigint[]))
        else
            p.op = any(cast(:ops as text[]))
            and p.digest <> all(cast(:unsigned as text[]))
            and (p.op = 'WITHDRAW' or p.recipient_id <> all(cast(:waiting as bigint[])))
    end
