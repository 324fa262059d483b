-- Grain: one approval per batch and person. The database refuses one by somebody who had a part in the batch.
-- May run twice. Parameters: digest, approved_by, approved_on, is_recorded_in_advance, signature (null where none).
-- Duty: decide.
insert into approvals (digest, decision_id, subject, approved_by, approved_on, is_recorded_in_advance, signature)
select
    b.digest,
    b.decision_id,
    b.subject,
    :approved_by,
    :approved_on,
    :is_recorded_in_advance,
    :signature
from batches as b
where b.digest = :digest
on conflict (digest, approved_by) do nothing
