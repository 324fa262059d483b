-- Grain: one row per recipient of these cards with the values in force. `waiting_nik` is a NIK that awaits approval.
-- Parameters: cards.
select
    r.recipient_id,
    r.card_number,
    r.cohort,
    r.nik,
    r.region_code,
    r.contact,
    w.nik as waiting_nik
from recipients_in_force as r
left join
    lateral (
        select
            v.nik,
            d.request
        from corrections as c
        inner join correction_values as v on c.correction_id = v.correction_id
        left join correction_decisions as d on c.request = d.request
        where c.recipient_id = r.recipient_id and c.request is not null
        order by c.correction_id desc
        limit 1
    ) as w
    on w.request is null
where r.card_number = any(cast(:cards as bigint[]))
