-- Grain: one message per recipient, cohort, reminder date and channel, written before anything is sent.
-- May run twice: the database keeps one.
-- Parameters: cohort, deadline_on, as_of, audience, remind_on, at.
-- Role: remind.
insert into reminders (
    recipient_id, cohort, remind_on, channel, address, template, lacks, state, failure, send_before, settled_at,
    unsubscribe_key
)
select
    t.recipient_id,
    :cohort,
    :remind_on,
    t.channel,
    t.address,
    t.template,
    t.lacks,
    case
        when t.refused is null then 'queued'
        when t.refused = 'no_address' then 'permanent_failure'
        else 'suppressed'
    end,
    t.refused,
    least(wib_midnight(cast(:remind_on as date) + 2), wib_midnight(cast(:deadline_on as date) + 1)),
    case when t.refused is not null then cast(:at as timestamptz) end,
    case when address_kind(t.channel) = 'email' then gen_random_uuid() end
from reminder_targets(:cohort, :deadline_on, :as_of, :audience) as t
order by t.recipient_id
on conflict (recipient_id, cohort, remind_on, channel) do nothing
