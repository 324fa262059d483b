-- Grain: one reinstatement per recipient whose appeal was upheld by a day.
-- May run twice: a recipient is reinstated once. Parameters: as_of.
-- Role: decide.
insert into reinstatements (recipient_id, because, approvers, reinstated_on)
select
    a.recipient_id,
    'appeal',
    array_agg(distinct d.decided_by order by d.decided_by),
    :as_of
from appeals as a
inner join appeal_decisions as d on a.appeal_id = d.appeal_id
where d.is_upheld and d.decided_on <= :as_of
group by a.recipient_id
on conflict (recipient_id) do nothing
