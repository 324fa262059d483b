-- Grain: one e-mail per recipient whose SMS cannot arrive, while there is time. May run twice.
-- Parameters: cohort, remind_on, at.
-- Role: remind.
insert into reminders (
    recipient_id, cohort, remind_on, channel, address, template, lacks, send_before, unsubscribe_key
)
select
    m.recipient_id,
    m.cohort,
    m.remind_on,
    'email',
    r.email_token,
    m.template,
    m.lacks,
    m.send_before,
    gen_random_uuid()
from reminders as m
inner join recipients_in_force as r on m.recipient_id = r.recipient_id
where
    m.cohort = :cohort
    and m.remind_on = :remind_on
    and m.channel = 'sms'
    and m.state = 'permanent_failure'
    and m.failure is distinct from 'fate_unknown'
    and m.send_before > :at
    and r.email_token <> ''
    and not opted_out(m.recipient_id, 'email')
on conflict (recipient_id, cohort, remind_on, channel) do nothing
