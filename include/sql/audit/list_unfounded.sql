-- Grain: one row per version and operation with people who are listed but not revoked, or withdrawn but not reinstated:
-- how many people. A corrected NIK withdraws and adds a person in the same version, and is not counted.
-- Parameters: none.
select
    c.version,
    c.op,
    c.entry,
    count(*) as people
from public.blacklist_changes as c
left join public.revocations as v on c.recipient_id = v.recipient_id
left join public.reinstatements as e on c.recipient_id = e.recipient_id
where
    v.recipient_id is null
    or (
        c.op <> 'ADD'
        and e.recipient_id is null
        and not exists (
            select
            from public.blacklist_changes as a
            where
                a.version = c.version and a.recipient_id = c.recipient_id
                and a.op = 'ADD' and a.nik_correction_id <> c.nik_correction_id
        )
    )
group by c.version, c.op, c.entry
order by c.version, c.op
