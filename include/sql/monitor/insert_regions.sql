-- Grain: one row per province, as in force of its recipients.
-- Parameters: cohort.
-- Role: ingest.
insert into cohort_regions (
    cohort, region_code, selected, purchased, held, overdue, excluded, revoked, reinstated
)
select
    :cohort,
    r.region_code,
    count(*),
    count(*) filter (where c.outcome = 'purchased'),
    count(*) filter (where c.outcome = 'held'),
    count(*) filter (where c.outcome = 'overdue'),
    count(*) filter (where c.outcome = 'excluded'),
    count(v.recipient_id),
    count(e.recipient_id)
from counted as c
inner join recipients_in_force as r on c.recipient_id = r.recipient_id
left join revocations as v on c.recipient_id = v.recipient_id
left join reinstatements as e on c.recipient_id = e.recipient_id
group by r.region_code
