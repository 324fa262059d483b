-- Take a lock of a duty for this session. Return no row if the session has the lock now, else the session that holds
-- it. A holder is alive as long as it has the advisory lock `sign_of_life`. This runs with the rights of the caller:
-- only the role of a duty may write its locks.
create or replace function take_lock(of_duty text, of_name text, of_sign_of_life bigint, of_application text)
returns table (pid integer, login text, application text, since timestamptz)
language plpgsql
set search_path = public, pg_temp
as $$
#variable_conflict use_column
declare
    place constant text := quote_ident(of_duty || '_locks');
    held record;
begin
    execute format('insert into %s (name) values ($1) on conflict do nothing', place) using of_name;
    execute format('select * from %s where name = $1 for update', place) into held using of_name;
    return query
    select held.pid, held.login, held.application, held.since
    where exists (
        select
        from pg_locks as l
        inner join pg_stat_activity as a on l.pid = a.pid
        where
            l.locktype = 'advisory'
            and l.granted
            and l.mode = 'ExclusiveLock'
            and l.objsubid = 1
            and (l.classid::bigint << 32) | l.objid::bigint = held.sign_of_life
            and l.pid = held.pid
            and a.usename = held.login
            and a.datname = current_database()
    );
    if not found then
        execute format(
            'update %s set pid = pg_backend_pid(), login = session_user, application = $2, since = clock_timestamp(),'
            ' sign_of_life = $3 where name = $1', place
        ) using of_name, of_application, of_sign_of_life;
    end if;
end;
$$;
