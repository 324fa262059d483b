-- Return whether this transaction belongs to a replay. A replay has its own role, which no live process may take. On a
-- server where the roles could not be created, the replay uses a setting instead.
create or replace function is_replaying() returns boolean
language sql stable
return current_user = 'prakerja_replay'
or (
    not exists (select from pg_roles where rolname = 'prakerja_replay')
    and coalesce(current_setting('prakerja.is_replaying', true), '') = 'yes'
);
