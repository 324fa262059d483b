-- Grain: one approval per batch and person, another with each signature of theirs. The database refuses one by somebody
-- who had a part in the batch.
-- May run twice: the same approval with the same signature is kept once, and the second time gives no row.
-- Parameters: digest, approved_by, approved_on, is_recorded_in_advance; signature, identities_sha256 (null where none).
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
