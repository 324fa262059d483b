-- Grain: one recipient whose contact is sealed again. Replaces the tokens of their addresses in messages, too.
-- Parameters: recipient_ids, contact, phone_token, email_token (arrays in the same order).
-- Role: owner.
with sealed as (
    select *
    from
        unnest(
            cast(:recipient_ids as bigint[]),
            cast(:contact as bytea[]),
            cast(:phone_token as text[]),
            cast(:email_token as text[])
        ) as t (recipient_id, contact, phone_token, email_token)
),

moved as (
    update reminders as m
    set address = token_of(m.channel, s.phone_token, s.email_token)
    from sealed as s
    inner join recipients as r on s.recipient_id = r.recipient_id
    where
        m.recipient_id = s.recipient_id
        -- not the messages sent to an address that was corrected since
        and m.address = token_of(m.channel, r.phone_token, r.email_token)
)

update recipients as r
set contact = s.contact, phone_token = s.phone_token, email_token = s.email_token
from sealed as s
where r.recipient_id = s.recipient_id
