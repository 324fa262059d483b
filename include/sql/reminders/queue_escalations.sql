-- Grain: one message per recipient whom a channel cannot reach, on the next channel that may, while there is time.
-- May run twice: the database keeps one message per channel.
-- Parameters: cohort, remind_on, at.
-- Role: remind.
insert into reminders (
    recipient_id, cohort, remind_on, channel, address, template, lacks, send_before, unsubscribe_key
)
select
    m.recipient_id,
    m.cohort,
    m.remind_on,
    n.channel,
    n.address,
    m.template,
    m.lacks,
    m.send_before,
    case when address_kind(n.channel) = 'email' then gen_random_uuid() end
from reminders as m
inner join recipients_in_force as r on m.recipient_id = r.recipient_id
cross join lateral next_channel(m.recipient_id, r.phone_token, r.email_token, m.channel) as n
where
    m.cohort = :cohort
    and m.remind_on = :remind_on
    and m.state = 'permanent_failure'
    and m.failure is distinct from 'fate_unknown'
    and m.send_before > :at
on conflict (recipient_id, cohort, remind_on, channel) do nothing
