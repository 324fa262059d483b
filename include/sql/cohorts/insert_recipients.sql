-- Grain: one recipient per staged line.
-- Parameters: roster_id, cohort. Runs once per roster: cards and NIKs are unique.
-- Role: ingest.
insert into recipients (roster_id, cohort, card_number, nik, contact, phone_token, email_token, region_code)
select
    :roster_id,
    :cohort,
    card_number,
    nik,
    contact,
    phone_token,
    email_token,
    region_code
from staged_recipients
order by line
