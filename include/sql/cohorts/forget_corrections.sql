-- Grain: one correction older than the retention period. Its fact stays; its values are deleted unless in force.
-- An approved NIK keeps its seal: the list is made from it and its approval is checked against it. A NIK that is not
-- approved by then can no longer be approved.
-- Parameters: before.
-- Role: remind.
update correction_values as v
set
    sealed = null,
    nik = null,
    contact = case when f.correction_id is not null then v.contact end,
    phone_token = case when f.correction_id is not null then v.phone_token end,
    email_token = case when f.correction_id is not null then v.email_token end,
    region_code = case when f.correction_id is not null then v.region_code end
from corrections as c
left join contacts_in_force as f on c.correction_id = f.correction_id
left join correction_decisions as d on c.request = d.request
where
    v.correction_id = c.correction_id
    and c.corrected_on < :before
    and d.is_approved is not true
    and (v.sealed is not null or v.nik is not null or (v.contact is not null and f.correction_id is null))
