-- Grain: one row per accepted revision above another of its day: what it adds, lets vanish and changes of it.
-- Runs once per delivery, in the transaction that loads it. Parameters: delivery_id.
with restated as (
    select
        d.delivery_id,
        before.delivery_id as superseded_id
    from deliveries as d
    cross join
        lateral (
            select s.delivery_id
            from deliveries as s
            where
                s.platform = d.platform
                and s.business_date = d.business_date
                and s.status = 'accepted'
                and s.revision < d.revision
            order by s.revision desc
            limit 1
        ) as before
    where d.delivery_id = :delivery_id
),

now_rows as (
    select t.*
    from transactions as t
    inner join restated as r on t.delivery_id = r.delivery_id
),

then_rows as (
    select t.*
    from transactions as t
    inner join restated as r on t.delivery_id = r.superseded_id
),

pairs as (
    select
        n.transaction_id is null as is_gone,
        o.transaction_id is null as is_new,
        (n.occurred_at, n.card_number, n.amount_idr, n.course_id, n.voucher_code)
        <> (o.occurred_at, o.card_number, o.amount_idr, o.course_id, o.voucher_code) as is_other
    from now_rows as n
    full join then_rows as o on n.transaction_id = o.transaction_id and n.event = o.event
)

insert into restatements (delivery_id, superseded_id, added, vanished, changed)
select
    restated.delivery_id,
    restated.superseded_id,
    (select count(*) from pairs as p where p.is_new),
    (select count(*) from pairs as p where p.is_gone),
    (select count(*) from pairs as p where p.is_other and not p.is_new and not p.is_gone)
from restated
