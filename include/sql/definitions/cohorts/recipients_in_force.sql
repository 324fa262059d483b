-- Grain: one row per recipient of a roster, with corrected values in place of the delivered ones.
create or replace view recipients_in_force as
select
    r.recipient_id,
    r.roster_id,
    r.cohort,
    r.card_number,
    coalesce(n.nik, r.nik) as nik,
    coalesce(n.correction_id, 0) as nik_correction_id,
    coalesce(c.region_code, r.region_code) as region_code,
    coalesce(c.contact, r.contact) as contact,
    coalesce(c.phone_token, r.phone_token) as phone_token,
    coalesce(c.email_token, r.email_token) as email_token
from recipients as r
left join niks_in_force as n on r.recipient_id = n.recipient_id
left join contacts_in_force as c on r.recipient_id = c.recipient_id;
