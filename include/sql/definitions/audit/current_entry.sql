-- The entry of this transaction, drawn when it first adds a fact. Who acts is told by `prakerja.actor`.
create or replace function current_entry() returns bigint
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
