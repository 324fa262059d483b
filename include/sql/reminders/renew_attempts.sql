-- Grain: one message that failed temporarily, which is tried from the first attempt again; and one that failed
-- permanently at an address that was corrected since, once per correction, if nothing else reached the recipient or may
-- have. Of the channels that reach the corrected phone or mailbox only the first is renewed: the next one is its
-- escalation, and both would reach the recipient twice.
-- Parameters: cohort, remind_on, at.
-- Role: remind.
with corrected as (
    select distinct on (m.recipient_id, address_kind(m.channel))
        m.reminder_id,
        token_of(m.channel, c.phone_token, c.email_token) as token
    from reminders as m
    inner join contacts_in_force as c on m.recipient_id = c.recipient_id
    where
        m.cohort = :cohort
        and m.remind_on = :remind_on
        and m.state = 'permanent_failure'
        and m.failure is distinct from 'fate_unknown'
        and m.send_before > :at
        and token_of(m.channel, c.phone_token, c.email_token) is distinct from m.address
        and not exists (
            select from reminders as o
            where
                o.recipient_id = m.recipient_id and o.cohort = m.cohort and o.remind_on = m.remind_on
                and o.reminder_id <> m.reminder_id and o.state not in ('permanent_failure', 'expired')
        )
    order by m.recipient_id, address_kind(m.channel), array_position(reminder_channels(), m.channel)
),

due as materialized (
    select
        m.reminder_id,
        c.token
    from reminders as m
    left join corrected as c on m.reminder_id = c.reminder_id
    where
        m.cohort = :cohort
        and m.remind_on = :remind_on
        and (
            m.state in ('temporary_failure', 'unknown')
            or (m.state = 'permanent_failure' and c.token <> '')
        )
    order by m.reminder_id
    for update of m
)

update reminders as m
set
    attempts = 0,
    try_after = :at,
    state = case m.state when 'permanent_failure' then 'queued' else m.state end,
    address = case m.state when 'permanent_failure' then d.token else m.address end,
    failure = case m.state when 'permanent_failure' then null else m.failure end,
    settled_at = case m.state when 'permanent_failure' then null else m.settled_at end,
    provider = case m.state when 'permanent_failure' then null else m.provider end,
    provider_id = case m.state when 'permanent_failure' then null else m.provider_id end,
    -- another submission, with another key
    round = m.round + case m.state when 'permanent_failure' then 1 else 0 end
from due as d
where m.reminder_id = d.reminder_id and m.state in ('temporary_failure', 'unknown', 'permanent_failure')
