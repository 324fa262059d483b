-- Which warehouse this is. Signed documents carry the id, so that those of another warehouse are refused.
create table warehouse_identity (
    warehouse_id uuid not null
);
create unique index warehouse_identity_once on warehouse_identity ((true));
insert into warehouse_identity (warehouse_id) values (gen_random_uuid());

-- How far the log and the list had come when entries began to record logins, and anchors the warehouse's id. Up to here
-- an entry without a login and an anchor without the id are valid; nothing later is.
create table audit_baseline (
    last_position bigint not null,
    last_version bigint not null
);
create unique index audit_baseline_once on audit_baseline ((true));
insert into audit_baseline (last_position, last_version)
select
    coalesce((select max(l.position) from audit_log as l), 0),
    coalesce((select max(v.version) from blacklist_versions as v), 0);

-- The actor is what the caller says. The login, the role and the transaction are what the server knows.
alter table audit_log
add column login text,
add column role text,
add column xact_id xid8,
add constraint audit_log_writer check (num_nulls(login, role, xact_id) in (0, 3));
comment on column audit_log.actor is 'what the caller says: a run and its task, or a user and a command';
comment on column audit_log.login is 'session_user; null up to audit_baseline.last_position';
comment on column audit_log.role is 'the role in effect when the entry was opened';

-- A transaction id alone names no transaction for good: a restored warehouse counts its transactions anew.
alter table audit_pending
add column login text not null default 'not recorded',
add column role text not null default 'not recorded',
add column xact_id xid8 not null default '0',
add column began_at timestamptz not null default '-infinity';
alter table audit_pending
alter column login drop default,
alter column role drop default,
alter column xact_id drop default,
alter column began_at drop default;
create index audit_pending_xact_id on audit_pending (xact_id);
