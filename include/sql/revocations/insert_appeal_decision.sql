-- Grain: one decision per appeal, ever; the database refuses one by somebody who approved the revocation.
-- Parameters: appeal_id, is_upheld, because, decided_by, decided_on.
-- Role: decide.
insert into appeal_decisions (appeal_id, is_upheld, because, decided_by, decided_on)
select
    a.appeal_id,
    :is_upheld,
    :because,
    :decided_by,
    :decided_on
from appeals as a
where a.appeal_id = :appeal_id
on conflict (appeal_id) do nothing
