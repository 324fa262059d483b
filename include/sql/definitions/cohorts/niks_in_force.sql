-- Grain: one row per recipient with an approved correction of their NIK: the last one.
create or replace view niks_in_force as
select distinct on (v.recipient_id)
    v.recipient_id,
    v.correction_id,
    v.nik
from correction_values as v
inner join corrections as c on v.correction_id = c.correction_id
inner join correction_decisions as d on c.request = d.request
where d.is_approved
order by v.recipient_id, v.correction_id desc;
