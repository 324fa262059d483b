-- Grain: one change per recipient of a version, two of whom another NIK was corrected.
-- Parameters: version; revoked_by, reinstated_by: what happened later is for a later version; ops: whether additions,
-- withdrawals or both do not wait; unsigned: the batches whose people are not to be added; waiting: people who are not
-- to be added.
-- Duty: publish.
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
        when p.op = 'WITHDRAW' then 'WITHDRAW' = any(cast(:ops as text[]))
        else
            'ADD' = any(cast(:ops as text[]))
            and p.digest <> all(cast(:unsigned as text[]))
            and p.recipient_id <> all(cast(:waiting as bigint[]))
    end
