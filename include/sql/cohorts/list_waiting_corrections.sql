-- Grain: one row per corrected NIK that awaits approval, by request, without those that were decided or that a later
-- correction replaced.
-- Parameters: none.
select
    c.request,
    c.because,
    c.corrected_by,
    c.corrected_on,
    r.cohort,
    r.card_number,
    r.nik,
    v.nik as corrected_nik,
    l.recipient_id is not null as is_listed
from corrections as c
inner join correction_values as v on c.correction_id = v.correction_id
inner join recipients_in_force as r on c.recipient_id = r.recipient_id
left join listed_changes as l on c.recipient_id = l.recipient_id
where
    c.request is not null
    and v.nik is not null
    and not exists (select from correction_decisions as d where d.request = c.request)
    and not exists (
        select from corrections as o
        inner join corrections as n on o.recipient_id = n.recipient_id and o.correction_id < n.correction_id
        where
            o.request = c.request and n.request <> c.request
            and not exists (select from correction_decisions as d where d.request = n.request and not d.is_approved)
    )
order by c.correction_id
