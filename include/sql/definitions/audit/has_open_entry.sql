-- Return whether this transaction has an entry of the audit log that is not sealed yet.
create or replace function has_open_entry() returns boolean
language sql stable security definer
set search_path = public, pg_temp
return exists (
    select from audit_pending as p
    where p.xact_id = pg_current_xact_id_if_assigned() and p.began_at = now()
);
