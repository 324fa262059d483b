-- Grain: one finding per revoked recipient of a cohort from whom a platform took a payment after the deadline.
-- May run twice: a finding is written once.
-- Parameters: cohort, deadline_now, as_of.
-- Role: decide.
insert into late_findings (recipient_id, kind, deadline_on, found_on, delivery_id, line)
select distinct on (v.recipient_id)
    v.recipient_id,
    'late_purchase',
    d.deadline_on,
    :as_of,
    t.delivery_id,
    t.line
from revocations as v
inner join decisions as d on v.decision_id = d.decision_id
inner join recipients as r on v.recipient_id = r.recipient_id
inner join transactions as t on r.card_number = t.card_number
inner join deliveries_in_force(:as_of) as f on t.delivery_id = f.delivery_id
where
    d.cohort = :cohort
    and is_purchase(t.event)
    and t.occurred_at >= wib_midnight(cast(:deadline_now as date) + 1)
    and not exists (
        select from reinstatements as e where e.recipient_id = v.recipient_id and e.reinstated_on <= f.arrived_on
    )
    and not exists (
        select from late_findings as l
        where l.recipient_id = v.recipient_id and l.kind = 'late_purchase'
    )
order by v.recipient_id, t.occurred_at, t.delivery_id, t.line
on conflict (recipient_id, kind, deadline_on) do nothing
