-- Grain: one row per WIB day and platform where recipients of a cohort have bought first.
-- Parameters: cohort.
-- Role: ingest.
insert into cohort_days (cohort, paid_on, platform, purchases)
select
    :cohort,
    (t.occurred_at at time zone 'Asia/Jakarta')::date,
    d.platform,
    count(*)
from counted as c
inner join recipients as r on c.recipient_id = r.recipient_id
inner join transactions as t
    on r.card_number = t.card_number and c.delivery_id = t.delivery_id and c.line = t.line
inner join deliveries as d on c.delivery_id = d.delivery_id
where c.outcome = 'purchased'
group by 2, 3
