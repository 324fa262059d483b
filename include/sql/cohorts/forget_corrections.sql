-- Grain: one correction that is older than the retention period: its fact stays, its values go, but for those in force.
-- A NIK that was approved stays with its seal: the list is made from it, and its approval held against it. One that
-- nobody has approved by then cannot be approved any more.
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
