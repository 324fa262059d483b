-- Grain: one row per version that lists people who are not revoked, or withdraws some who are not reinstated: how many.
select
    c.version,
    c.op,
    c.entry,
    count(*) as people
from public.blacklist_changes as c
left join public.revocations as v on c.recipient_id = v.recipient_id
left join public.reinstatements as e on c.recipient_id = e.recipient_id
where v.recipient_id is null or (c.op <> 'ADD' and e.recipient_id is null)
group by c.version, c.op, c.entry
order by c.version, c.op
