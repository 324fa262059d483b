-- Grain: one reminder per recipient, cohort, reminder date and channel, written before anything is sent.
-- May run twice: the database keeps one.
-- Parameters: cohort, deadline_on, clock, remind_on, channel.
insert into reminders (recipient_id, cohort, remind_on, channel, template)
select
    s.recipient_id,
    :cohort,
    :remind_on,
    :channel,
    case when s.outcome = 'held' then 'held' else 'not_purchased' end
from standing(:cohort, :deadline_on, :clock) as s
where s.outcome in ('overdue', 'held')
on conflict (recipient_id, cohort, remind_on, channel) do nothing
