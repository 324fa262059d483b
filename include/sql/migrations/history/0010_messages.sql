-- Whom to write to ----------------------------------------------------------------------------------------------------

-- Somebody asked not to be written to on a channel, or to be written to again: the last choice counts.
create table opt_outs (
    choice_id bigint generated always as identity primary key,
    recipient_id bigint not null references recipients,
    channel text not null check (channel in ('sms', 'email')),
    is_opted_out boolean not null,
    chosen_on date not null,
    recorded_by text not null,
    recorded_at timestamptz not null default now()
);
create index opt_outs_recipient on opt_outs (recipient_id, channel);

-- What the programme's dashboard knows that a recipient still lacks (R17, R22, R23): the last report counts.
create table hindrances (
    hindrance_id bigint generated always as identity primary key,
    recipient_id bigint not null references recipients,
    lacks text not null check (lacks in ('videos', 'password', 'steps', 'nothing')),
    reported_on date not null,
    recorded_at timestamptz not null default now()
);
create index hindrances_recipient on hindrances (recipient_id);

create function opted_out(of_recipient bigint, of_channel text) returns boolean
language sql stable parallel safe
begin atomic
    select coalesce((
        select o.is_opted_out
        from opt_outs as o
        where o.recipient_id = of_recipient and o.channel = of_channel
        order by o.choice_id desc
        limit 1
    ), false);
end;

-- The three time zones by the province's code.
create function zone_of(region_code text) returns text
language sql immutable parallel safe
return case
    when region_code in ('51', '52', '53', '63', '64', '65', '71', '72', '73', '74', '75', '76') then 'Asia/Makassar'
    when region_code in ('81', '82') or region_code like '9%' then 'Asia/Jayapura'
    else 'Asia/Jakarta'
end;

-- Whether a message may leave at an instant: in the recipient's own day; at any hour where their next day would begin
-- after the deadline's end, since a message that comes too late is no reminder.
create function may_leave(at timestamptz, region_code text, deadline_on date, opens integer, closes integer)
returns boolean
language sql stable parallel safe
return case
    when extract(hour from at at time zone zone_of(region_code)) >= closes
        then (
            date_trunc('day', at at time zone zone_of(region_code)) + make_interval(days => 1, hours => opens)
        ) at time zone zone_of(region_code) >= wib_midnight(deadline_on + 1)
    when extract(hour from at at time zone zone_of(region_code)) < opens
        then (
            date_trunc('day', at at time zone zone_of(region_code)) + make_interval(hours => opens)
        ) at time zone zone_of(region_code) >= wib_midnight(deadline_on + 1)
    else true
end;

-- The outbox ----------------------------------------------------------------------------------------------------------

-- One per cohort and reminder date. What it was begun with stays with it: a text is not changed in the middle.
create table reminder_runs (
    cohort integer not null,
    remind_on date not null,
    deadline_on date not null,
    audience text not null check (audience in ('not_purchased', 'all')),
    texts text not null,
    texts_sha256 text not null,
    begun_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (cohort, remind_on)
);

alter table reminders drop constraint reminders_state_check;
alter table reminders
add column address text,
add column lacks text not null default 'nothing',
add column provider text,
add column attempts smallint not null default 0,
add column round smallint not null default 0,
add column segments smallint,
add column try_after timestamptz,
add column submitted_at timestamptz,
add column settled_at timestamptz,
add column send_before timestamptz;
comment on column reminders.address is 'taken away once the retention period is over, as the key';
comment on column reminders.segments is 'of all that a provider took, or may have taken; an e-mail is one';
comment on column reminders.attempts is 'submissions of this round; a person who tries again begins anew';
comment on column reminders.round is 'counts what the provider took and could not deliver: each has its own key';
update reminders set state = 'permanent_failure' where state = 'failed';
update reminders set state = 'permanent_failure', failure = 'fate_unknown' where state = 'sending';
update reminders set send_before = wib_midnight(remind_on + 2);
alter table reminders
alter column send_before set not null,
alter column idempotency_key drop not null,
add constraint reminders_state check (state in (
    'queued', 'sending', 'accepted', 'delivered', 'temporary_failure', 'permanent_failure', 'unknown', 'suppressed',
    'expired'
));
-- No index on the state: it changes three times, and a change of what no index has is written in the row's own page.
drop index reminders_unsent;
alter table reminders set (fillfactor = 50);
create index reminders_run on reminders (cohort, remind_on, channel, reminder_id);
create index reminders_address on reminders (address, remind_on);
insert into reminder_runs (cohort, remind_on, deadline_on, audience, texts, texts_sha256, begun_at)
select distinct
    m.cohort,
    m.remind_on,
    r.deadline_on,
    'not_purchased',
    'v1',
    '',
    wib_midnight(m.remind_on)
from reminders as m
inner join rosters as r on m.cohort = r.cohort and r.status = 'accepted';
update reminders as m
set address = regexp_replace(r.phone, '^(\+62|0)', '+62')
from recipients as r
where m.recipient_id = r.recipient_id;

-- What may become of a message. Nothing else may: the trigger below refuses it.
create table message_transitions (
    from_state text not null,
    to_state text not null,
    primary key (from_state, to_state)
);
insert into message_transitions (from_state, to_state) values
('queued', 'sending'),
('queued', 'suppressed'),
('queued', 'permanent_failure'), -- no number that could be one
('queued', 'expired'),
('sending', 'queued'), -- it never left
('sending', 'accepted'),
('sending', 'delivered'), -- the receipt came before the answer
('sending', 'temporary_failure'),
('sending', 'permanent_failure'),
('sending', 'unknown'),
('sending', 'suppressed'),
('accepted', 'delivered'),
('accepted', 'temporary_failure'),
('accepted', 'permanent_failure'),
('temporary_failure', 'sending'),
('temporary_failure', 'suppressed'),
('temporary_failure', 'expired'),
('temporary_failure', 'permanent_failure'),
('temporary_failure', 'delivered'), -- the provider was wrong
('unknown', 'sending'), -- asked again under the same key
('unknown', 'accepted'),
('unknown', 'delivered'),
('unknown', 'temporary_failure'),
('unknown', 'permanent_failure'),
('permanent_failure', 'delivered'),
('expired', 'delivered');

create function refuse_illegal_message_transition() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if not exists (
        select from message_transitions as t where t.from_state = old.state and t.to_state = new.state
    ) then
        raise exception using errcode = 'check_violation', constraint = 'message_transitions',
            message = format('no message goes from %s to %s', old.state, new.state);
    end if;
    return new;
end;
$$;
create trigger refuse_illegal_message_transition before update on reminders
for each row when (old.state is distinct from new.state) execute function refuse_illegal_message_transition();

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
            -- As the roster has it, 08... or +62...; whether it can be a number is asked before it is used.
            case when r.phone <> '' then regexp_replace(r.phone, '^(\+62|0)', '+62') end as phone,
            nullif(r.email, '') as email,
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
    reminder_id bigint, recipient_id bigint, state text, address text, full_name text
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
        r.full_name
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

-- What a person of the run was told, or was not: of their messages the one that counts.
create function reminded_people(of_cohort integer, of_date date)
returns table (recipient_id bigint, channel text, state text)
language sql stable
begin atomic
    select distinct on (m.recipient_id)
        m.recipient_id,
        m.channel,
        m.state
    from reminders as m
    where m.cohort = of_cohort and m.remind_on = of_date
    order by m.recipient_id, (m.state = 'delivered') desc, (m.state = 'accepted') desc, (m.channel = 'email') desc;
end;

-- Who asked for nothing, what was reported, which runs there were: facts, in the log.
do $$
declare
    added_fact text;
begin
    insert into audited (fact, ordered_by) values
    ('opt_outs', '{choice_id}'), ('hindrances', '{hindrance_id}'), ('reminder_runs', '{cohort,remind_on}');
    foreach added_fact in array array['opt_outs', 'hindrances', 'reminder_runs'] loop
        execute format('alter table %I add column entry bigint not null default current_entry()', added_fact);
        execute format('create index %I on %I using brin (entry) with (autosummarize = on)',
            added_fact || '_entry', added_fact);
        execute format('create trigger note_fact after insert on %I referencing new table as added'
            ' for each statement execute function note_fact()', added_fact);
    end loop;
    insert into audit_pending_facts
    select distinct r.entry, 'reminder_runs' from reminder_runs as r
    on conflict do nothing;
end;
$$;

-- How fast a provider may be given messages, across all senders: the instant from which it is free again.
create table provider_pace (
    provider text primary key,
    free_at timestamptz not null
);

do $$
begin
    if exists (select from pg_roles where rolname = 'prakerja_app') then
        grant select, insert on opt_outs, hindrances, reminder_runs, provider_pace to prakerja_app;
        grant select on message_transitions to prakerja_app;
        grant update on provider_pace to prakerja_app;
        grant usage on all sequences in schema public to prakerja_app;
        if current_setting('server_version_num')::integer >= 170000 then
            execute 'grant maintain on opt_outs, hindrances, reminder_runs, provider_pace to prakerja_app';
        end if;
    end if;
end;
$$;
