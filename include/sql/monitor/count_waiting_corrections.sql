-- Grain: one row, the number of requests of corrected NIKs that wait for another person's approval.
-- Parameters: none.
select count(distinct c.request)
from corrections as c
inner join correction_values as v on c.correction_id = v.correction_id
where
    c.request is not null
    and v.nik is not null
    and not exists (select from correction_decisions as d where d.request = c.request)
    and not exists (
        select from corrections as n
        where
            n.recipient_id = c.recipient_id and n.correction_id > c.correction_id and n.request <> c.request
            and not exists (select from correction_decisions as d where d.request = n.request and not d.is_approved)
    )
