-- The server's logins: the roles of each, its number of connections, and its timeouts. The server's superuser runs this
-- in the database `warehouse`: the embedded server at its start, docker/postgres/10-databases.sh, and by hand for a
-- volume of an earlier version. Safe to repeat. Passwords are set separately.
--
-- A session may change its timeouts, but not its login's roles, its number of connections or its space for temporary
-- files: those limits hold even for a stolen password. The connections add up to less than max_connections (300), so
-- that no login can block another.
do $$
declare
    all_duties constant text[] := array[
        'ingest', 'decide', 'recheck', 'replay', 'remind', 'receive', 'publish', 'serve', 'show', 'read', 'look'
    ];
    duty text;
    each record;
begin
    foreach duty in array all_duties loop
        if not exists (select from pg_roles where rolname = 'prakerja_' || duty) then
            execute format('create role prakerja_%s nologin', duty);
        end if;
    end loop;

    for each in
        select *
        from (
            values
            -- The owner of the schema. It takes any role if there is no other login (tests, a first start).
            ('warehouse', all_duties, 10, '0', '15min', '0', '-1'),
            -- Airflow's own login, without access to the warehouse.
            ('airflow', '{}', 70, '0', '0', '0', '4GB'),
            -- Tasks, with at most three connections each. The longest statement (the evidence of a million people)
            -- takes less than a minute. A transaction is idle while a delivery is read, and a session while it holds a
            -- lock.
            ('warehouse_worker', '{ingest,decide,recheck,remind,publish,read}', 140, '1h', '30min', '0', '64GB'),
            -- Commands. A replay needs every role.
            ('warehouse_operator', all_duties, 20, '1h', '30min', '0', '64GB'),
            -- Processes that are reachable from outside run short statements only. One has a pool of twelve
            -- connections.
            ('warehouse_service', '{serve}', 15, '30s', '30s', '10min', '1GB'),
            ('warehouse_receipts', '{receive}', 15, '30s', '30s', '10min', '1GB'),
            ('warehouse_monitor', '{show}', 15, '60s', '60s', '10min', '1GB'),
            -- People and tools that look.
            ('warehouse_reader', '{look}', 5, '5min', '60s', '30min', '1GB')
        ) as l (name, duties, connections, statement, idle_in_transaction, idle, temp_files)
    loop
        if not exists (select from pg_roles where rolname = each.name) then
            execute format('create role %I login', each.name);
        end if;
        execute format(
            'alter role %I nosuperuser nocreatedb nocreaterole noreplication nobypassrls connection limit %s',
            each.name, each.connections
        );
        execute format('alter role %I set statement_timeout = %L', each.name, each.statement);
        execute format('alter role %I set idle_in_transaction_session_timeout = %L', each.name, each.idle_in_transaction);
        execute format('alter role %I set idle_session_timeout = %L', each.name, each.idle);
        -- No session can change this limit. The largest sort (a year's ledger) fits; a login that only looks needs
        -- little.
        execute format('alter role %I set temp_file_limit = %L', each.name, each.temp_files);
        foreach duty in array all_duties loop
            if duty = any(each.duties::text[]) then
                execute format('grant prakerja_%s to %I', duty, each.name);
            else
                execute format('revoke prakerja_%s from %I', duty, each.name);
            end if;
        end loop;
    end loop;
    -- The owner upgrades the schema: it grants the roles their rights, and must see which sessions block it.
    foreach duty in array all_duties loop
        execute format('grant prakerja_%s to warehouse with admin option', duty);
    end loop;
    grant pg_read_all_stats to warehouse;

    -- Each login may connect only to the database that it works with.
    for each in select d.datname as name from pg_database as d where d.datname <> 'template0' loop
        if each.name in ('airflow', 'warehouse', 'postgres', 'template1') then
            execute format('revoke connect, temporary on database %I from public', each.name);
        end if;
    end loop;
    grant connect, temporary on database warehouse to warehouse;
    grant connect on database warehouse to warehouse_worker, warehouse_operator, warehouse_service, warehouse_receipts,
        warehouse_monitor, warehouse_reader;

    -- Advisory locks share a table of bounded size: logins that do not need them must not be able to fill it.
    for each in
        select p.oid::regprocedure as name
        from pg_proc as p
        where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ '^pg_(try_)?advisory_'
    loop
        execute format('revoke execute on function %s from public', each.name);
        execute format(
            'grant execute on function %s to prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_publish',
            each.name
        );
    end loop;

    -- Large objects are stored by the server without any limit, and this product uses none.
    for each in
        select p.oid::regprocedure as name
        from pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace
            and (p.proname like 'lo\_%' or p.proname in ('loread', 'lowrite'))
    loop
        execute format('revoke execute on function %s from public', each.name);
    end loop;
end;
$$;
