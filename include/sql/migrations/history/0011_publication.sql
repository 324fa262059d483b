-- Publishing ----------------------------------------------------------------------------------------------------------

-- Whose subjects a version lists. Versions from before this column have the oldest key that there is.
alter table blacklist_versions add column key_id text;

-- A list that grows or shrinks by too much waits for a person, who answers for these very changes.
create table publication_approvals (
    digest text primary key,
    approved_by text not null,
    because text not null,
    approved_on date not null,
    is_recorded_in_advance boolean not null,
    recorded_at timestamptz not null default now()
);

-- Who has changed the keys that readers believe, or that subjects are made with.
create table rotations (
    rotation_id bigint generated always as identity primary key,
    kind text not null check (kind in ('signing_announced', 'signing_changed', 'signing_revoked', 'subject_changed')),
    key_id text not null,
    because text not null,
    answered_by text not null,
    recorded_at timestamptz not null default now()
);

-- The service ---------------------------------------------------------------------------------------------------------

-- One row per consumer's key. The secret is random: its hash cannot be reversed.
create table api_keys (
    api_key_id text primary key,
    consumer text not null,
    secret_sha256 text not null,
    scopes text[] not null,
    per_minute integer not null check (per_minute > 0),
    expires_on date,
    created_by text not null,
    created_at timestamptz not null default now()
);
create table api_key_revocations (
    api_key_id text primary key references api_keys,
    because text not null,
    revoked_by text not null,
    revoked_at timestamptz not null default now()
);

-- One row per lookup: by whom, how many were asked about, and how many were listed; never who. A service writes lookups
-- down beside itself first, so that neither its death nor a lost warehouse loses one: a line of its spool is one row.
create table lookups (
    spool text not null,
    line bigint not null,
    api_key_id text not null,
    looked_up_at timestamptz not null,
    operation text not null check (operation in ('check', 'range')),
    asked integer not null,
    listed integer not null,
    version bigint not null,
    primary key (spool, line)
);
create index lookups_key on lookups (api_key_id, looked_up_at);

do $$
declare
    added_fact text;
begin
    insert into audited (fact, ordered_by) values
    ('publication_approvals', '{digest}'), ('rotations', '{rotation_id}'), ('api_keys', '{api_key_id}'),
    ('api_key_revocations', '{api_key_id}');
    foreach added_fact in array array['publication_approvals', 'rotations', 'api_keys', 'api_key_revocations'] loop
        execute format('alter table %I add column entry bigint not null default current_entry()', added_fact);
        execute format('create index %I on %I using brin (entry) with (autosummarize = on)',
            added_fact || '_entry', added_fact);
        execute format('create trigger note_fact after insert on %I referencing new table as added'
            ' for each statement execute function note_fact()', added_fact);
    end loop;
end;
$$;

do $$
begin
    if exists (select from pg_roles where rolname = 'prakerja_app') then
        grant select, insert on publication_approvals, rotations, api_keys, api_key_revocations, lookups to prakerja_app;
        grant usage on all sequences in schema public to prakerja_app;
        if current_setting('server_version_num')::integer >= 170000 then
            execute 'grant maintain on publication_approvals, rotations, api_keys, api_key_revocations, lookups'
                ' to prakerja_app';
        end if;
    end if;
end;
$$;
