-- Grain: one correction: its fact and its values.
-- Parameters: recipient_id, fields, digest, request, because, corrected_by, corrected_on; sealed, nik, contact,
-- phone_token, email_token, region_code (the values).
-- Role: decide.
with fact as (
    insert into corrections (recipient_id, fields, digest, request, because, corrected_by, corrected_on)
    values (:recipient_id, :fields, :digest, :request, :because, :corrected_by, :corrected_on)
    returning correction_id, recipient_id
)

insert into correction_values (
    correction_id, recipient_id, sealed, nik, contact, phone_token, email_token, region_code
)
select
    correction_id,
    recipient_id,
    :sealed,
    :nik,
    :contact,
    :phone_token,
    :email_token,
    :region_code
from fact
