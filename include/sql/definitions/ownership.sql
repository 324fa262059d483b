-- Give the objects that the superuser created in a database to the database's owner: the embedded server of an earlier
-- version had no other login. The superuser runs this in each database. Safe to repeat.
do $$
declare
    new_owner constant text := (
        select pg_get_userbyid(d.datdba) from pg_database as d where d.datname = current_database()
    );
    each record;
begin
    for each in
        select
            case c.relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'materialized view' else 'table' end
            as kind,
            c.oid::regclass::text as name
        from pg_class as c
        where
            c.relnamespace = 'public'::regnamespace
            and c.relowner = session_user::regrole
            and c.relkind in ('r', 'p', 'v', 'm', 'S')
            and not exists ( -- a sequence of a column follows its table
                select from pg_depend as d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i') and c.relkind = 'S'
            )
        union all
        select 'routine', p.oid::regprocedure::text
        from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.proowner = session_user::regrole
        union all
        select 'type', t.oid::regtype::text
        from pg_type as t
        where
            t.typnamespace = 'public'::regnamespace
            and t.typowner = session_user::regrole
            and t.typtype in ('e', 'd', 'r')
    loop
        execute format('alter %s %s owner to %I', each.kind, each.name, new_owner);
    end loop;
end;
$$;
