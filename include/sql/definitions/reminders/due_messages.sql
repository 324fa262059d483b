-- The next messages of a run that are due, locked. In the order of the index, whatever the statistics say: the table
-- fills and drains within minutes, and a sort of all that is left for each few would take longer than sending them.
create or replace function due_messages(
    of_cohort integer,
    of_date date,
    of_channel text,
    after bigint,
    most integer,
    at timestamptz,
    deadline_on date,
    opens integer,
    closes integer,
    attempts_max integer
)
returns table (
    reminder_id bigint, recipient_id bigint, state text, address text, card_number bigint, contact bytea
)
language sql volatile
rows 64
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
set enable_hashjoin = off
set plan_cache_mode = 'force_custom_plan'
begin atomic
    select
        m.reminder_id,
        m.recipient_id,
        m.state,
        m.address,
        r.card_number,
        r.contact
    from reminders as m
    inner join recipients as r on m.recipient_id = r.recipient_id
    where
        m.cohort = of_cohort
        and m.remind_on = of_date
        and m.channel = of_channel
        and m.reminder_id > after
        and m.send_before > at
        and (
            m.state = 'queued'
            or (
                (m.state = 'temporary_failure' or (m.state = 'unknown' and m.channel = 'sms'))
                and m.attempts < due_messages.attempts_max
                and m.try_after <= due_messages.at
            )
        )
        and may_leave(due_messages.at, r.region_code, due_messages.deadline_on, opens, closes)
    order by m.reminder_id
    limit most
    for update of m skip locked;
end;
