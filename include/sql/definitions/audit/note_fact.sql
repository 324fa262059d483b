-- Trigger: record for the audit log that this transaction has added rows to a table. Refuse rows with the entry of
-- another transaction, open or sealed. Refuse rows so large that computing their digest, and so any sealing, could
-- fail.
create or replace function note_fact() returns trigger
language plpgsql security definer
set search_path = public, pg_temp
as $$
declare
    own_entry bigint;
begin
    if not exists (select from added) then
        return null;
    end if;
    if tg_table_schema <> 'public' or not exists (select from audited as t where t.fact = tg_table_name) then
        raise exception using errcode = 'insufficient_privilege',
            message = tg_table_name || ': not a table of the audit log';
    end if;
    own_entry := current_entry();
    if exists (
        select from added as a where a.entry is distinct from own_entry or pg_column_size(a.*) > 1000000
    ) then
        raise exception using errcode = 'check_violation', constraint = tg_table_name || '_entry',
            message = tg_table_name || ': a fact must be in the entry of its own transaction, and at most a megabyte';
    end if;
    insert into audit_pending_facts (entry, fact) values (own_entry, tg_table_name)
    on conflict do nothing;
    return null;
end;
$$;
