-- Return the audit log's entry for this transaction and role, and create it with their first fact.
-- The entry is found by the transaction id and never by a setting, since a caller can change any setting.
-- `prakerja.actor` is the name that the caller claims; it is recorded as such, beside the login and the role.
-- The role comes from the setting `role`, which the server protects: `current_user` is the owner of this function here.
create or replace function current_entry() returns bigint
language plpgsql security definer
set search_path = public, pg_temp
as $$
declare
    in_effect constant text := coalesce(nullif(current_setting('role'), 'none'), session_user);
    found_entry bigint;
begin
    select p.entry into found_entry
    from audit_pending as p
    where p.xact_id = pg_current_xact_id() and p.began_at = now() and p.role = in_effect;
    if found_entry is null then
        insert into audit_pending (entry, actor, login, role, xact_id, began_at)
        values (
            nextval('audit_entries'),
            left(coalesce(nullif(current_setting('prakerja.actor', true), ''), session_user), 500),
            session_user,
            in_effect,
            pg_current_xact_id(),
            now()
        )
        returning entry into found_entry;
    end if;
    return found_entry;
end;
$$;
