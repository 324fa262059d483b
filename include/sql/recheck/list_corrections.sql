-- Grain: one row per recipient of a cohort with an approved correction of their NIK: the last one.
-- Parameters: cohort.
-- Role: recheck.
select distinct on (r.recipient_id)
    r.card_number,
    v.nik,
    d.decided_on
from correction_values as v
inner join corrections as c on v.correction_id = c.correction_id
inner join correction_decisions as d on c.request = d.request
inner join recipients as r on v.recipient_id = r.recipient_id
where r.cohort = :cohort and d.is_approved and v.nik is not null
order by r.recipient_id, v.correction_id desc
