-- Grain: one approval per batch and person, and one more for each different signature. The database refuses an approval
-- by somebody who had a part in the batch.
-- May run twice: the same approval with the same signature is stored once, and the second run inserts no row.
-- Parameters: digest, approved_by, approved_on, is_recorded_in_advance; signature, identities_sha256 (null if
-- unsigned).
-- Role: decide.
insert into approvals (
    digest, decision_id, subject, approved_by, approved_on, is_recorded_in_advance, signature, identities_sha256
)
select
    b.digest,
    b.decision_id,
    b.subject,
    :approved_by,
    :approved_on,
    :is_recorded_in_advance,
    :signature,
    :identities_sha256
from batches as b
where b.digest = :digest
on conflict do nothing
