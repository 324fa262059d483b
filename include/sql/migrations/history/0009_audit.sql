-- States --------------------------------------------------------------------------------------------------------------

-- What may become of a recipient, and by which fact. Nothing else may: the triggers below refuse it, and the picture in
-- docs/states.md is drawn from these rows.
create table transitions (
    from_state text not null,
    fact text not null,
    to_state text not null,
    primary key (from_state, fact, to_state)
);
insert into transitions (from_state, fact, to_state) values
('selected', 'outcomes', 'purchased'),
('selected', 'outcomes', 'held'),
('selected', 'outcomes', 'overdue'),
('selected', 'outcomes', 'excluded'),
-- a deadline that was extended before anybody was revoked is decided anew
('purchased', 'outcomes', 'purchased'),
('purchased', 'outcomes', 'held'),
('purchased', 'outcomes', 'overdue'),
('purchased', 'outcomes', 'excluded'),
('held', 'outcomes', 'purchased'),
('held', 'outcomes', 'held'),
('held', 'outcomes', 'overdue'),
('held', 'outcomes', 'excluded'),
('overdue', 'outcomes', 'purchased'),
('overdue', 'outcomes', 'held'),
('overdue', 'outcomes', 'overdue'),
('overdue', 'outcomes', 'excluded'),
('excluded', 'outcomes', 'excluded'),
('cleared', 'outcomes', 'cleared'),
('revoked', 'outcomes', 'revoked'),
('reinstated', 'outcomes', 'reinstated'),
('not_purchased', 'outcomes', 'held'),
('not_purchased', 'outcomes', 'purchased'),
('not_purchased', 'outcomes', 'not_purchased'),
('not_purchased', 'outcomes', 'overdue'),
('not_purchased', 'outcomes', 'excluded'),
('held', 'hold_resolutions', 'cleared'),
('held', 'hold_resolutions', 'not_purchased'),
('overdue', 'late_findings', 'spared'),
('overdue', 'revocations', 'revoked'),
('not_purchased', 'revocations', 'revoked'),
('revoked', 'reinstatements', 'reinstated');

-- Where recipients are, by the facts; without those of one table (of outcomes: without those of one deadline).
create function states(of_recipients bigint[], without text, without_deadline date)
returns table (recipient_id bigint, state text)
language sql stable
set plan_cache_mode = 'force_custom_plan'
begin atomic
    with latest as (
        select distinct on (n.recipient_id)
            n.recipient_id,
            n.outcome,
            n.deadline_on
        from outcomes as n
        where
            n.recipient_id = any(of_recipients)
            and (without <> 'outcomes' or n.deadline_on <> without_deadline)
        order by n.recipient_id, n.deadline_on desc
    )

    select
        a.recipient_id,
        case
            when e.recipient_id is not null then 'reinstated'
            when v.recipient_id is not null then 'revoked'
            when s.recipient_id is not null then 'spared'
            when h.is_purchased then 'cleared'
            when o.outcome = 'held' and not h.is_purchased and h.deadline_on = o.deadline_on then 'not_purchased'
            else coalesce(o.outcome::text, 'selected')
        end
    from unnest(of_recipients) as a (recipient_id)
    left join latest as o on a.recipient_id = o.recipient_id
    left join hold_resolutions as h on a.recipient_id = h.recipient_id and without <> 'hold_resolutions'
    left join late_findings as s
        on a.recipient_id = s.recipient_id and s.kind = 'spared' and without <> 'late_findings'
    left join revocations as v on a.recipient_id = v.recipient_id and without <> 'revocations'
    left join reinstatements as e on a.recipient_id = e.recipient_id and without <> 'reinstatements';
end;

create function refuse_illegal_transition() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    moved bigint[];
    cohorts integer[];
    outcomes text[];
    of_deadline date;
    last_deadline date;
    illegal record;
begin
    if tg_table_name = 'outcomes' then
        -- A million at once, and all of them selected where this is their cohort's first decision.
        select array_agg(a.cohort), array_agg(a.outcome::text), min(a.deadline_on), max(a.deadline_on)
        into cohorts, outcomes, of_deadline, last_deadline
        from (select distinct cohort, deadline_on, outcome from added) as a;
        if exists (
            select from carried_out as c
            inner join decisions as d on c.decision_id = d.decision_id
            where d.cohort = any(cohorts)
        ) then
            raise exception using errcode = 'check_violation', constraint = 'transitions',
                message = 'outcomes: this cohort''s decision was carried out';
        end if;
        if of_deadline = last_deadline and not exists (
            select from decisions as d
            where d.status = 'made' and d.cohort = any(cohorts) and d.deadline_on <> of_deadline
        ) then
            select 'selected' as from_state, o.to_state
            into illegal
            from unnest(outcomes) as o (to_state)
            where not exists (
                select from transitions as t
                where t.from_state = 'selected' and t.fact = 'outcomes' and t.to_state = o.to_state
            );
            if found then
                raise exception using errcode = 'check_violation', constraint = 'transitions',
                    message = 'outcomes: no transition from selected to ' || illegal.to_state;
            end if;
            return null;
        end if;
    end if;
    if tg_table_name = 'late_findings' then
        moved := array(select recipient_id from added where kind = 'spared');
    else
        moved := array(select distinct recipient_id from added);
    end if;
    with moves as materialized (
        select distinct b.state as from_state, n.state as to_state
        from states(moved, tg_table_name, of_deadline) as b
        inner join states(moved, '', null) as n on b.recipient_id = n.recipient_id
    )

    select m.from_state, m.to_state
    into illegal
    from moves as m
    where not exists (
        select from transitions as t
        where t.from_state = m.from_state and t.fact = tg_table_name and t.to_state = m.to_state
    )
    limit 1;
    if found then
        raise exception using errcode = 'check_violation', constraint = 'transitions',
            message = format('%s: no transition from %s to %s', tg_table_name, illegal.from_state, illegal.to_state);
    end if;
    return null;
end;
$$;

create trigger refuse_illegal_transition after insert on outcomes
referencing new table as added for each statement execute function refuse_illegal_transition();
create trigger refuse_illegal_transition after insert on hold_resolutions
referencing new table as added for each statement execute function refuse_illegal_transition();
create trigger refuse_illegal_transition after insert on late_findings
referencing new table as added for each statement execute function refuse_illegal_transition();
create trigger refuse_illegal_transition after insert on revocations
referencing new table as added for each statement execute function refuse_illegal_transition();
create trigger refuse_illegal_transition after insert on reinstatements
referencing new table as added for each statement execute function refuse_illegal_transition();

-- A foreign key is checked by a query for each row: those of a whole batch are checked at once.
alter table batch_members drop constraint batch_members_digest_fkey;
alter table revocations
drop constraint revocations_digest_fkey,
drop constraint revocations_decision_id_fkey,
drop constraint revocations_recipient_id_fkey;

create function refuse_unknown_batch() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_table_name = 'revocations' then
        if exists (
            select from added as a
            left join batches as b on a.digest = b.digest and a.decision_id = b.decision_id
            left join batch_members as m on b.digest = m.digest and a.recipient_id = m.recipient_id
            where m.recipient_id is null or not exists (select from approvals as p where p.digest = b.digest)
        ) then
            raise exception using errcode = 'check_violation', constraint = 'revocations_approved',
                message = 'revocations: in no approved batch of this decision';
        end if;
    end if;
    if exists (select distinct a.digest from added as a where a.digest is not null except select b.digest from batches as b)
    then
        raise exception using errcode = 'foreign_key_violation', constraint = tg_table_name || '_batch',
            message = tg_table_name || ': no such batch';
    end if;
    return null;
end;
$$;
create trigger refuse_unknown_batch after insert on batch_members
referencing new table as added for each statement execute function refuse_unknown_batch();
create trigger refuse_unknown_batch after insert on revocations
referencing new table as added for each statement execute function refuse_unknown_batch();

-- The audit log -------------------------------------------------------------------------------------------------------

-- One entry per transaction that added facts: who, what for, and of each table how many rows and the SHA-256 over them.
-- The hash is over all of it and the hash before. An entry is sealed once its transaction has committed.
create table audit_log (
    position bigint primary key,
    entry bigint not null unique,
    at timestamptz not null,
    actor text not null,
    facts jsonb not null,
    previous bytea not null,
    hash bytea not null
);
create sequence audit_entries;
create table audit_pending (
    entry bigint primary key,
    actor text not null
);
create table audit_pending_facts (
    entry bigint not null,
    fact text not null,
    primary key (entry, fact)
);

-- The tables whose every row is in the log, and the columns that order them. What a file brought (transactions,
-- quarantine, recipients) is in it by the file's SHA-256; what follows from facts, and the outbox, is not.
create table audited (
    fact text primary key,
    ordered_by text[] not null
);
insert into audited (fact, ordered_by) values
('deliveries', '{delivery_id}'),
('restatements', '{delivery_id}'),
('waivers', '{delivery_id}'),
('rosters', '{roster_id}'),
('extensions', '{cohort,deadline_on}'),
('suspensions', '{recipient_id,suspended_on}'),
('suspension_lifts', '{recipient_id,suspended_on}'),
('withdrawals', '{recipient_id}'),
('decisions', '{attempt}'),
('decision_deliveries', '{delivery_id,decision_id}'),
('outcomes', '{recipient_id,deadline_on}'),
('overrides', '{decision_id}'),
('freezes', '{freeze_id}'),
('freeze_lifts', '{freeze_id}'),
('batches', '{attempt}'),
('batch_members', '{recipient_id,digest}'),
('proposals', '{proposal_id}'),
('approvals', '{digest,approved_by}'),
('carried_out', '{decision_id}'),
('revocations', '{recipient_id}'),
('late_findings', '{recipient_id,kind}'),
('hold_resolutions', '{recipient_id}'),
('reinstatements', '{recipient_id}'),
('appeals', '{appeal_id}'),
('appeal_decisions', '{appeal_id}'),
('blacklist_versions', '{version}'),
('blacklist_changes', '{version,recipient_id}');

-- The entry of this transaction, drawn when it first adds a fact. Who acts is told by `prakerja.actor`.
create function current_entry() returns bigint
language plpgsql security definer
set search_path = public, pg_temp
as $$
declare
    found_entry text := current_setting('prakerja.entry', true);
begin
    if coalesce(found_entry, '') = '' then
        found_entry := nextval('audit_entries');
        perform set_config('prakerja.entry', found_entry, true);
        insert into audit_pending (entry, actor)
        values (found_entry::bigint, coalesce(nullif(current_setting('prakerja.actor', true), ''), session_user));
    end if;
    return found_entry::bigint;
end;
$$;

create function note_fact() returns trigger
language plpgsql security definer
set search_path = public, pg_temp
as $$
begin
    -- One row tells the entry of all: a statement that mixed them would leave strays, which are found.
    insert into audit_pending_facts
    select a.entry, tg_table_name from added as a limit 1
    on conflict do nothing;
    return null;
end;
$$;

-- How many rows of a table an entry has, and the SHA-256 over them: these columns, a line each, in the table's order.
create function digest_of(fact text, of_entry bigint, columns text[])
returns table (rows bigint, sha256 bytea)
language plpgsql stable
set work_mem = '256MB'
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    listed text := (select string_agg(format('t.%I', c), ', ') from unnest(columns) as c);
    ordered text := (
        select string_agg(
            format('t.%I', c.column_name) || case c.data_type when 'text' then ' collate "C"' else '' end,
            ', ' order by o.position
        )
        from audited as a
        cross join unnest(a.ordered_by) with ordinality as o (column_name, position)
        inner join information_schema.columns as c
            on c.table_schema = 'public' and c.table_name = a.fact and c.column_name = o.column_name
        where a.fact = digest_of.fact
    );
begin
    return query execute format(
        'select count(*),'
        ' sha256(convert_to(coalesce(string_agg(row(%s)::text, chr(10) order by %s), ''''), ''UTF8''))'
        ' from %I as t where t.entry = $1',
        listed, ordered, digest_of.fact
    )
    using of_entry;
end;
$$;

create function audit_hash(
    of_position bigint, entry bigint, at timestamptz, actor text, facts jsonb, previous bytea
)
returns bytea
language sql stable
return sha256(
    previous
    || convert_to(
        of_position || ' ' || entry || ' ' || extract(epoch from at) || ' ' || actor || ' ' || facts::text, 'UTF8'
    )
);

-- Seals what committed and is not sealed yet. Not in the transaction that added the facts: that one may look at an
-- older snapshot than the log's last entry. Whoever dies in between leaves it to the next.
create function seal_entries() returns void
language plpgsql security definer
set search_path = public, pg_temp
as $$
declare
    pending record;
    digests jsonb;
    last_position bigint;
    last_hash bytea;
    sealed_at timestamptz;
begin
    for pending in
        select p.entry, p.actor from audit_pending as p order by p.entry for update
    loop
        select jsonb_object_agg(
            p.fact,
            jsonb_build_object('rows', d.rows, 'columns', to_jsonb(c.columns), 'sha256', encode(d.sha256, 'hex'))
        )
        into digests
        from audit_pending_facts as p
        cross join lateral (
            select array_agg(i.column_name::text order by i.ordinal_position) as columns
            from information_schema.columns as i
            where i.table_schema = 'public' and i.table_name = p.fact and i.column_name <> 'entry'
        ) as c
        cross join lateral digest_of(p.fact, p.entry, c.columns) as d
        where p.entry = pending.entry and d.rows > 0;
        if digests is not null then -- an insert that found everything there has drawn an entry, and added nothing
            perform pg_advisory_xact_lock(hashtextextended('prakerja audit', 0));
            select l.position, l.hash into last_position, last_hash from audit_log as l order by l.position desc limit 1;
            last_position := coalesce(last_position, 0) + 1;
            last_hash := coalesce(last_hash, '\x'::bytea);
            sealed_at := clock_timestamp();
            insert into audit_log (position, entry, at, actor, facts, previous, hash)
            values (
                last_position, pending.entry, sealed_at, pending.actor, digests, last_hash,
                audit_hash(last_position, pending.entry, sealed_at, pending.actor, digests, last_hash)
            );
        end if;
        delete from audit_pending_facts as p where p.entry = pending.entry;
        delete from audit_pending as p where p.entry = pending.entry;
    end loop;
end;
$$;

-- Facts from before the log are those of entry 0, sealed here.
do $$
declare
    audited_fact text;
begin
    for audited_fact in select fact from audited loop
        execute format('alter table %I add column entry bigint not null default 0', audited_fact);
        execute format('alter table %I alter column entry set default current_entry()', audited_fact);
        execute format('create index %I on %I using brin (entry) with (autosummarize = on)',
            audited_fact || '_entry', audited_fact);
        execute format('create trigger note_fact after insert on %I referencing new table as added'
            ' for each statement execute function note_fact()', audited_fact);
        insert into audit_pending_facts values (0, audited_fact);
    end loop;
    insert into audit_pending values (0, 'before the log');
end;
$$;
select seal_entries();

-- What is wrong with the log, or with the facts that it speaks of; no row where all is well.
create function audit_problems() returns table (problem text)
language plpgsql stable
as $$
begin
    return query
    with linked as (
        select
            l.*,
            lag(l.position) over (order by l.position) as before_position,
            lag(l.hash) over (order by l.position) as before_hash
        from audit_log as l
    )
    select case
        when k.position <> coalesce(k.before_position, 0) + 1
            then format('entries are missing before position %s of the log', k.position)
        when k.previous <> coalesce(k.before_hash, '\x'::bytea)
            then format('position %s of the log does not follow the one before', k.position)
        else format('position %s of the log was edited', k.position)
    end
    from linked as k
    where k.position <> coalesce(k.before_position, 0) + 1
        or k.previous <> coalesce(k.before_hash, '\x'::bytea)
        or k.hash <> audit_hash(k.position, k.entry, k.at, k.actor, k.facts, k.previous)
    order by k.position;

    return query
    select format(
        '%s of position %s (%s, %s): sealed %s rows, found %s%s', f.key, l.position, l.actor,
        to_char(l.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), f.value ->> 'rows', d.rows,
        case when (f.value ->> 'rows')::bigint = d.rows then ' that are not the same' else '' end
    )
    from audit_log as l
    cross join lateral jsonb_each(l.facts) as f
    cross join lateral digest_of(
        f.key, l.entry, array(select jsonb_array_elements_text(f.value -> 'columns'))
    ) as d
    where d.rows <> (f.value ->> 'rows')::bigint or encode(d.sha256, 'hex') <> f.value ->> 'sha256'
    order by l.position, f.key;
end;
$$;

-- Facts of a table that no entry of the log tells of.
create function audit_strays(fact text) returns bigint
language plpgsql stable
as $$
declare
    strays bigint;
begin
    execute format(
        'select count(*) from %I as t where not exists ('
        ' select from audit_log as l where l.entry = t.entry and l.facts ? %L)', audit_strays.fact, audit_strays.fact
    )
    into strays;
    return strays;
end;
$$;

-- The application's role ----------------------------------------------------------------------------------------------

-- It adds facts, and can neither change nor take away one. What follows from facts, and the outbox, it keeps current.
do $$
begin
    if not exists (select from pg_roles where rolname = 'prakerja_app') then
        create role prakerja_app nologin;
    end if;
    execute format('grant prakerja_app to %I', session_user);
    grant usage on schema public to prakerja_app;
    grant select, insert on all tables in schema public to prakerja_app;
    revoke insert on alembic_version, transitions, audited, audit_log, audit_pending, audit_pending_facts
    from prakerja_app;
    grant update on reminders, standings, evidence, evidence_bases to prakerja_app;
    grant delete on evidence_deliveries to prakerja_app;
    grant usage on all sequences in schema public to prakerja_app;
    if current_setting('server_version_num')::integer >= 170000 then
        execute 'grant maintain on all tables in schema public to prakerja_app';
    end if;
exception when insufficient_privilege then
    raise warning 'the role prakerja_app cannot be made here: let somebody who may create roles run the upgrade';
end;
$$;
