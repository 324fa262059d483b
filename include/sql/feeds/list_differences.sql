-- Grain: one row per row in which an accepted revision of a business date differs from the previous one, those of the
-- latest revision first. `is_other_voucher` says that the voucher, which is not shown, differs.
-- Parameters: platform, business_date, most (rows).
with restated as (
    select
        r.delivery_id,
        r.superseded_id,
        d.revision,
        s.revision as revision_before
    from restatements as r
    inner join deliveries as d on r.delivery_id = d.delivery_id
    inner join deliveries as s on r.superseded_id = s.delivery_id
    where d.platform = :platform and d.business_date = :business_date
),

-- Reads the day's rows once, by the index on delivery_id.
day_rows as materialized (
    select
        delivery_id,
        line,
        event,
        transaction_id,
        occurred_at,
        card_number,
        amount_idr,
        course_id
    from transactions
    where
        delivery_id
        = any(array(select unnest(array[r.delivery_id, r.superseded_id]) from restated as r))
),

changes as materialized (
    select
        r.*,
        c.*
    from restated as r
    cross join lateral differences(r.delivery_id, r.superseded_id) as c
    order by r.revision desc, coalesce(c.line, c.line_before), c.change
    limit :most
)

select
    c.revision,
    c.revision_before,
    c.change,
    c.is_other_voucher,
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
from changes as c
left join day_rows as n on c.delivery_id = n.delivery_id and c.line = n.line
left join day_rows as o on c.superseded_id = o.delivery_id and c.line_before = o.line
order by c.revision desc, coalesce(c.line, c.line_before), c.change
