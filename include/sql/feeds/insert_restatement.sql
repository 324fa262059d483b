-- Grain: one row per accepted revision that replaces another: the number of rows that it adds, drops and changes.
-- Runs once per delivery, in the transaction that loads it.
-- Parameters: delivery_id.
-- Role: ingest.
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
)

insert into restatements (delivery_id, superseded_id, added, vanished, changed)
select
    r.delivery_id,
    r.superseded_id,
    count(*) filter (where d.change = 'added'),
    count(*) filter (where d.change = 'vanished'),
    count(*) filter (where d.change = 'changed')
from restated as r
left join lateral differences(r.delivery_id, r.superseded_id) as d on true
group by r.delivery_id, r.superseded_id
