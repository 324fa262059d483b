-- Take the lock of a name until this transaction ends, and wait while another transaction has it. Only functions of the
-- owner can call this: nobody else may lock these rows.
create or replace function lock_name(of_name text) returns void
language plpgsql
set search_path = public, pg_temp
as $$
begin
    perform from function_locks as l where l.name = of_name for update;
    if not found then
        insert into function_locks (name) values (of_name) on conflict do nothing;
        perform from function_locks as l where l.name = of_name for update;
    end if;
end;
$$;
