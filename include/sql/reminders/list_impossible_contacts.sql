-- Grain: one row per impossible phone or e-mail address in a cohort's latest reminder run that has not been corrected
-- since.
-- Parameters: cohort (null: every cohort).
-- Role: remind.
with latest as (
    select
        cohort,
        max(remind_on) as remind_on
    from reminder_runs
    where cast(:cohort as integer) is null or cohort = :cohort
    group by cohort
)

select
    m.cohort,
    r.card_number,
    address_kind(m.channel) as what
from latest as l
inner join reminders as m on l.cohort = m.cohort and l.remind_on = m.remind_on
inner join recipients_in_force as r on m.recipient_id = r.recipient_id
where
    m.failure = 'address_impossible'
    and m.address = token_of(m.channel, r.phone_token, r.email_token)
-- Two channels may have tried the same phone.
group by m.cohort, m.recipient_id, r.card_number, address_kind(m.channel)
order by m.cohort, m.recipient_id, address_kind(m.channel)
