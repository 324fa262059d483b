-- Grain: one row per row in which an accepted revision of a business date differs from the one before; the first ones.
-- Parameters: platform, business_date, most (how many at most).
select
    d.revision,
    s.revision as revision_before,
    c.change,
    coalesce(n.event, o.event)::text as event,
    coalesce(n.transaction_id, o.transaction_id) as transaction_id,
    n.occurred_at,
    o.occurred_at as occurred_at_before,
    n.card_number,
    o.card_number as card_number_before,
    n.amount_idr,
    o.amount_idr as amount_idr_before,
    n.course_id,
    o.course_id as course_id_before
from restatements as r
inner join deliveries as d on r.delivery_id = d.delivery_id
inner join deliveries as s on r.superseded_id = s.delivery_id
cross join lateral differences(r.delivery_id, r.superseded_id) as c
left join transactions as n on r.delivery_id = n.delivery_id and c.line = n.line
left join transactions as o on r.superseded_id = o.delivery_id and c.line_before = o.line
where d.platform = :platform and d.business_date = :business_date
order by d.revision, coalesce(c.line, c.line_before), c.change
limit :most
