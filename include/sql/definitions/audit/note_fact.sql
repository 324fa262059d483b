-- Notes for the audit log that this transaction has added rows of a table.
create or replace function note_fact() returns trigger
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
