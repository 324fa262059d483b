-- Grain: one row per recipient with a corrected name, address or region: the values of the last correction.
create or replace view contacts_in_force as
select distinct on (v.recipient_id)
    v.recipient_id,
    v.correction_id,
    v.contact,
    v.phone_token,
    v.email_token,
    v.region_code
from correction_values as v
where v.contact is not null
order by v.recipient_id, v.correction_id desc;
