-- Grain: one row per batch and person who had a part in it: who proposed it, resolved its hold, or overrode a breaker
-- of its decision. Such a person's approval does not count.
-- Parameters: none.
select
    b.digest,
    b.proposed_by as person
from public.batches as b
union
select
    p.digest,
    p.proposed_by
from public.proposals as p
union
select
    b.digest,
    h.resolved_by
from public.batches as b
inner join public.decisions as d on b.decision_id = d.decision_id
inner join public.batch_members as m on b.digest = m.digest
inner join public.hold_resolutions as h on m.recipient_id = h.recipient_id
where b.subject = 'hold' and (h.deadline_on is null or h.deadline_on = d.deadline_on)
union
select
    b.digest,
    o.overridden_by
from public.batches as b
inner join public.decisions as d on b.decision_id = d.decision_id
inner join public.overrides as o on o.decision_id = any(d.overrides)
