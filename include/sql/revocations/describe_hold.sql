-- Grain: one row, why the person of a hold's batch was held, and what was found out. Other batches have no row. The row
-- does not identify the person: it has neither their numbers nor the line of a row that may be theirs.
-- Parameters: digest.
select
    o.because,
    d.platform,
    d.business_date,
    q.reasons,
    h.is_purchased,
    h.because as found,
    h.resolved_by,
    h.resolved_on
from batches as b
inner join decisions as n on b.decision_id = n.decision_id
inner join batch_members as m on b.digest = m.digest
inner join hold_resolutions as h on m.recipient_id = h.recipient_id and n.deadline_on = h.deadline_on
inner join outcomes as o on h.recipient_id = o.recipient_id and h.deadline_on = o.deadline_on
left join deliveries as d on o.delivery_id = d.delivery_id
left join quarantine as q on o.delivery_id = q.delivery_id and o.line = q.line
where b.digest = :digest and b.subject = 'hold'
