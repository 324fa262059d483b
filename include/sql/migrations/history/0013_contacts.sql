-- What was readable is taken away; the two functions that read it read what stands in its place.
drop function reminder_targets(integer, date, date, text);
drop function due_messages(integer, date, text, bigint, integer, timestamptz, date, integer, integer, integer);
alter table recipients alter column contact set not null;
alter table recipients drop column full_name, drop column phone, drop column email;
alter table recipients alter column phone_token drop default, alter column email_token drop default;
comment on column recipients.contact is 'name, phone and e-mail address, sealed (prakerja.cohorts.contacts)';
comment on column reminders.address is 'what stands for the phone or the address, until the retention is over';

-- Whom a reminder is for, on which channel, with which words. `refused` says why nothing is sent to somebody who is
-- meant. By the evidence as it was last refreshed.
create function reminder_targets(of_cohort integer, deadline_on date, known_by date, audience text)
returns table (recipient_id bigint, channel text, address text, template text, lacks text, refused text)
language sql stable
begin atomic
    with meant as (
        select
            s.recipient_id,
            case s.outcome when 'overdue' then 'not_purchased' else s.outcome::text end as template,
            s.because,
            s.recipient_id in (
                select x.recipient_id from suspended_at(reminder_targets.deadline_on, reminder_targets.known_by) as x
            ) as is_suspended,
            -- What stands for them: whether it can be a number is asked before it is used.
            nullif(r.phone_token, '') as phone,
            nullif(r.email_token, '') as email,
            opted_out(s.recipient_id, 'sms') as has_no_sms,
            opted_out(s.recipient_id, 'email') as has_no_email,
            coalesce((
                select h.lacks from hindrances as h
                where h.recipient_id = s.recipient_id
                order by h.hindrance_id desc
                limit 1
            ), 'nothing') as lacks
        from standing(of_cohort, reminder_targets.deadline_on, reminder_targets.known_by) as s
        inner join recipients as r on s.recipient_id = r.recipient_id
        where
            s.outcome in ('overdue', 'held')
            or (reminder_targets.audience = 'all' and s.outcome = 'purchased')
    ),

    chosen as (
        select
            m.*,
            case
                when m.phone is not null and not m.has_no_sms then 'sms'
                when m.email is not null and not m.has_no_email then 'email'
            end as by_channel
        from meant as m
    )

    select
        c.recipient_id,
        coalesce(c.by_channel, 'sms'),
        case c.by_channel when 'sms' then c.phone when 'email' then c.email end,
        c.template,
        c.lacks,
        case
            when c.because = 'suspended' or c.is_suspended then 'suspended'
            when
                c.by_channel is null
                then case when coalesce(c.phone, c.email) is null then 'no_address' else 'opted_out' end
        end
    from chosen as c;
end;

-- The next messages of a run that are due, locked. In the order of the index, whatever the statistics say: the table
-- fills and drains within minutes, and a sort of all that is left for each few would take longer than sending them.
create function due_messages(
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

-- Their files are written anew: a column that is dropped, or a row that was, would go on lying in them.
cluster recipients using recipients_pkey;
cluster reminders using reminders_pkey;

-- The evidence is written by this function alone, whoever calls it.
alter function refresh_evidence(integer, date, date, integer, date, date, timestamptz)
security definer set search_path = public, pg_temp;

-- What deliveries have shown about decided cohorts, in numbers. With the owner's rights, so that who only counts (the
-- service, which others reach) need not be let near the recipients.
create function findings_by_cohort()
returns table (
    cohort integer, reinstatements_proposed bigint, cases bigint, holds_resolvable bigint, late_purchases bigint
)
language sql stable security definer
set search_path = public, pg_temp
begin atomic
    select
        p.cohort,
        count(distinct f.recipient_id) filter (
            where f.kind in ('reinstatement_proposed', 'deadline_extended')
            and not exists (select from reinstatements as e where e.recipient_id = f.recipient_id)
        ) as reinstatements_proposed,
        count(*) filter (where f.kind in ('purchase_gone', 'damaged_row', 'spared')) as cases,
        count(*) filter (where f.kind = 'hold_resolvable') as holds_resolvable,
        count(*) filter (where f.kind = 'late_purchase') as late_purchases
    from late_findings as f
    inner join recipients as p on f.recipient_id = p.recipient_id
    group by p.cohort;
end;
