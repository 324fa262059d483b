-- Grain: one reminder per recipient, cohort, reminder date and channel, written before anything is sent.
-- May run twice: the database keeps one.
-- Parameters: cohort, announced_on, deadline_on, settlement_days, last_business_date, clock, remind_on, channel.
insert into reminders (recipient_id, cohort, remind_on, channel, template)
select
    s.recipient_id,
    :cohort,
    :remind_on,
    :channel,
    case when s.outcome = 'held' then 'held' else 'not_purchased' end
from
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, :last_business_date, :clock,
        wib_midnight(cast(:deadline_on as date) + 1)
    ) as s
where s.outcome in ('overdue', 'held')
on conflict (recipient_id, cohort, remind_on, channel) do nothing
