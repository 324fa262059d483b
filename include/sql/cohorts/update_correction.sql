-- Grain: one correction whose values are sealed again. Replaces the tokens of its addresses in messages, too.
-- Parameters: correction_id, sealed, contact, phone_token, email_token (nulls stay nulls).
-- Role: owner.
with moved as (
    update reminders as m
    set address = token_of(m.channel, :phone_token, :email_token)
    from correction_values as v
    where
        v.correction_id = :correction_id
        and m.recipient_id = v.recipient_id
        and m.address = token_of(m.channel, v.phone_token, v.email_token)
        and v.contact is not null
)

update correction_values
set
    sealed = :sealed,
    contact = :contact,
    phone_token = :phone_token,
    email_token = :email_token
where correction_id = :correction_id
