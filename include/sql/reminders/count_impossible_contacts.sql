-- Grain: one row per cohort with impossible phones or e-mail addresses in its latest reminder run that have not been
-- corrected since.
-- Parameters: cohorts: an array.
-- Role: ingest.
with latest as (
    select
        cohort,
        max(remind_on) as remind_on
    from reminder_runs
    where cohort = any(:cohorts)
    group by cohort
)

select
    m.cohort,
    -- Two channels may have tried the same phone.
    count(distinct m.recipient_id) filter (where address_kind(m.channel) = 'phone') as phones,
    count(distinct m.recipient_id) filter (where address_kind(m.channel) = 'email') as emails
from latest as l
inner join reminders as m on l.cohort = m.cohort and l.remind_on = m.remind_on
inner join recipients_in_force as r on m.recipient_id = r.recipient_id
where
    m.failure = 'address_impossible'
    and m.address = token_of(m.channel, r.phone_token, r.email_token)
group by m.cohort
order by m.cohort
