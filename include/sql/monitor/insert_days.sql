-- Grain: one row per WIB day and platform with first purchases of a cohort's recipients. Safe to repeat after
-- delete_days.sql, in the same transaction.
-- Parameters: cohort. Reads the temporary table `counted` (create_counted.sql).
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
