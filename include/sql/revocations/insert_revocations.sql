-- Grain: one revocation per member of an approved batch.
-- May run twice: a recipient is revoked once. Parameters: digest, effective_at, as_of.
-- Role: decide.
insert into revocations (recipient_id, decision_id, digest, reason, effective_at, approvers, revoked_on)
select
    m.recipient_id,
    b.decision_id,
    b.digest,
    'NO_FIRST_PURCHASE',
    :effective_at,
    p.approvers,
    :as_of
from batches as b
inner join batch_approvals as p on b.digest = p.digest
inner join batch_members as m on b.digest = m.digest
where
    b.digest = :digest
    and b.subject in ('revocation', 'hold')
on conflict (recipient_id) do nothing
