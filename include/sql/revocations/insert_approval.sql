-- Grain: one approval per batch and person; none by whoever proposed it (four eyes).
-- May run twice. Parameters: digest, approved_by, approved_on, is_recorded_in_advance, signature (null where none).
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
