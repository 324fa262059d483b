-- Grain: one appeal of someone who is revoked and not reinstated; none while another of theirs is open.
-- Parameters: recipient_id, text, opened_by, opened_on.
-- Role: decide.
insert into appeals (recipient_id, text, opened_by, opened_on)
select
    v.recipient_id,
    :text,
    :opened_by,
    :opened_on
from revocations as v
where
    v.recipient_id = :recipient_id
    and not exists (select from reinstatements as e where e.recipient_id = v.recipient_id)
    and not exists (
        select
        from appeals as a
        left join appeal_decisions as d on a.appeal_id = d.appeal_id
        where a.recipient_id = v.recipient_id and d.appeal_id is null
    )
returning appeal_id
