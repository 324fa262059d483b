-- Grain: one decision per appeal, ever; none by somebody who approved the revocation.
-- Parameters: appeal_id, is_upheld, because, decided_by, decided_on.
insert into appeal_decisions (appeal_id, is_upheld, because, decided_by, decided_on)
select
    a.appeal_id,
    :is_upheld,
    :because,
    :decided_by,
    :decided_on
from appeals as a
inner join revocations as v on a.recipient_id = v.recipient_id
where a.appeal_id = :appeal_id and :decided_by <> all(string_to_array(v.approved_by, ', '))
on conflict (appeal_id) do nothing
