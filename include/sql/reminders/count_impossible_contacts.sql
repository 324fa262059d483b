-- Grain: one row per cohort of whose latest reminder run some phone or e-mail is none, and was not corrected since.
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
    count(*) filter (where m.channel = 'sms') as phones,
    count(*) filter (where m.channel = 'email') as emails
from latest as l
inner join reminders as m on l.cohort = m.cohort and l.remind_on = m.remind_on
inner join recipients_in_force as r on m.recipient_id = r.recipient_id
where
    m.failure = 'address_impossible'
    and m.address = case m.channel when 'sms' then r.phone_token else r.email_token end
group by m.cohort
order by m.cohort
