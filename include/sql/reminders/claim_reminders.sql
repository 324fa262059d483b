-- Grain: one row per reminder to submit now; it is `sending` before the gateway hears of it.
-- A row found `sending` was left by a sender that died: it is submitted again under the same key.
-- Parameters: cohort, remind_on, channel, after, batch.
with claimed as (
    update reminders
    set state = 'sending'
    where
        reminder_id in (
            select m.reminder_id
            from reminders as m
            where
                m.cohort = :cohort
                and m.remind_on = :remind_on
                and m.channel = :channel
                and m.state in ('queued', 'sending')
                and m.reminder_id > :after
            order by m.reminder_id
            limit :batch
            for update skip locked
        )
    returning reminder_id, recipient_id, template, idempotency_key
)

select
    c.reminder_id,
    c.template,
    c.idempotency_key,
    r.full_name,
    r.phone
from claimed as c
inner join recipients as r on c.recipient_id = r.recipient_id
order by c.reminder_id
