-- Grain: one row, what an approver should know about the deliveries of a decision.
-- Parameters: decision_id.
select
    count(*) as deliveries,
    count(*) filter (where d.verdict -> 'warnings' <> '[]') as unusual,
    count(*) filter (where w.delivery_id is not null) as waived,
    coalesce(sum(d.quarantined), 0) as quarantined
from decision_deliveries as c
inner join deliveries as d on c.delivery_id = d.delivery_id
left join waivers as w on d.delivery_id = w.delivery_id
where c.decision_id = :decision_id
