-- The next due messages of a run, locked. They are read in the order of the index, whatever the statistics say: the
-- table fills and drains within minutes, and a sort of the rest for each batch would take longer than sending it.
-- A message goes to the address in force, but one that a provider may have is submitted again to its old address.
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
    attempts_max integer,
    repeatable_since jsonb
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
        case when m.state = 'unknown' then m.address else coalesce(
            token_of(m.channel, coalesce(c.phone_token, r.phone_token), coalesce(c.email_token, r.email_token)),
            m.address
        ) end,
        r.card_number,
        case
            when
                m.state <> 'unknown'
                or m.address = token_of(
                    m.channel, coalesce(c.phone_token, r.phone_token), coalesce(c.email_token, r.email_token)
                )
                then coalesce(c.contact, r.contact)
            when m.address = token_of(m.channel, r.phone_token, r.email_token) then r.contact
            else (
                select v.contact
                from correction_values as v
                where
                    v.recipient_id = m.recipient_id
                    and m.address = token_of(m.channel, v.phone_token, v.email_token)
                order by v.correction_id desc
                limit 1
            )
        end
    from reminders as m
    inner join recipients as r on m.recipient_id = r.recipient_id
    left join
        lateral (
            select
                v.contact,
                v.phone_token,
                v.email_token,
                v.region_code
            from correction_values as v
            where v.recipient_id = m.recipient_id and v.contact is not null
            order by v.correction_id desc
            limit 1
        ) as c
        on true
    where
        m.cohort = of_cohort
        and m.remind_on = of_date
        and m.channel = of_channel
        and m.reminder_id > after
        and m.send_before > at
        and (
            m.state = 'queued'
            or (
                (
                    m.state = 'temporary_failure'
                    -- If the gateway that may have it recognizes its key, and leads to the same provider as then.
                    or (m.state = 'unknown' and m.submitted_at >= cast(repeatable_since ->> m.provider as timestamptz))
                )
                and m.attempts < due_messages.attempts_max
                and m.try_after <= due_messages.at
            )
        )
        and may_leave(due_messages.at, coalesce(c.region_code, r.region_code), due_messages.deadline_on, opens, closes)
    order by m.reminder_id
    limit most
    for update of m skip locked;
end;
