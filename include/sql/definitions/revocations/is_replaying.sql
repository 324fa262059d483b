-- Whether this transaction plays history. A replay works as a role of its own, which no live process may take; where
-- the roles could not be made, it says so itself.
create or replace function is_replaying() returns boolean
language sql stable
return current_user = 'prakerja_replay'
or (
    not exists (select from pg_roles where rolname = 'prakerja_replay')
    and coalesce(current_setting('prakerja.is_replaying', true), '') = 'yes'
);
