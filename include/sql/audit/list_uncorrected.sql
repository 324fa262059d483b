-- Grain: one row per version with people who are listed under a NIK without an approved correction: how many people.
-- Parameters: none.
select
    c.version,
    count(*) as people
from public.blacklist_changes as c
where
    c.op = 'ADD'
    and c.nik_correction_id <> 0
    and not exists (
        select
        from public.corrections as k
        inner join public.correction_decisions as d on k.request = d.request
        where k.correction_id = c.nik_correction_id and k.recipient_id = c.recipient_id and d.is_approved
    )
group by c.version
order by c.version
