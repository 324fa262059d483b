-- The server's logins: what each is a member of, how many connections it may have, and how long it may keep anybody
-- waiting. Run by the server's superuser in the database `warehouse`, as often as wanted: by the embedded server at its
-- start, by docker/postgres/10-databases.sh, and by hand for a volume of before. Passwords are set apart.
--
-- A session may change its timeouts, but neither its login's duties, its number of connections nor its room for
-- temporary files: those bind whoever has stolen a password. The numbers add up to less than max_connections (300), so
-- that no login keeps another out.
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
            -- The owner of the schema. It works as any duty where there is no other login (tests, a first start).
            ('warehouse', all_duties, 10, '0', '15min', '0', '-1'),
            -- Airflow's own, which knows nothing of the warehouse.
            ('airflow', '{}', 70, '0', '0', '0', '4GB'),
            -- Tasks, each with three connections at most. The longest statement (the evidence of a million people)
            -- takes less than a minute; a transaction is idle while a delivery is read; a held lock is an idle session.
            ('warehouse_worker', '{ingest,decide,recheck,remind,publish,read}', 140, '1h', '30min', '0', '64GB'),
            -- Commands: a replay does everything.
            ('warehouse_operator', all_duties, 20, '1h', '30min', '0', '64GB'),
            -- Processes that are reached from outside do what is quick. One has a pool of twelve connections.
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
        -- No session can change this one. The largest sort (a year's ledger) fits; who only looks needs little.
        execute format('alter role %I set temp_file_limit = %L', each.name, each.temp_files);
        foreach duty in array all_duties loop
            if duty = any(each.duties::text[]) then
                execute format('grant prakerja_%s to %I', duty, each.name);
            else
                execute format('revoke prakerja_%s from %I', duty, each.name);
            end if;
        end loop;
    end loop;
    -- Who upgrades the schema grants the duties what is theirs, and sees who keeps it waiting.
    foreach duty in array all_duties loop
        execute format('grant prakerja_%s to warehouse with admin option', duty);
    end loop;
    grant pg_read_all_stats to warehouse;

    -- Each login connects to the database of its work alone.
    for each in select d.datname as name from pg_database as d where d.datname <> 'template0' loop
        if each.name in ('airflow', 'warehouse', 'postgres', 'template1') then
            execute format('revoke connect, temporary on database %I from public', each.name);
        end if;
    end loop;
    grant connect, temporary on database warehouse to warehouse;
    grant connect on database warehouse to warehouse_worker, warehouse_operator, warehouse_service, warehouse_receipts,
        warehouse_monitor, warehouse_reader;

    -- Advisory locks are a shared table of bounded size: who has no use for one shall not fill it.
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

    -- Large objects are rows of the server's own, without any bound; nothing here keeps any.
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
