-- Drops functions and views that an earlier upgrade applied and whose text has changed since, or is gone. The comment
-- that `prakerja.schema` leaves on each says by which text it was made; `prakerja.definitions` has those that are still
-- true, by name. What a table hangs on (a default, a trigger) stays, and is replaced in place.
do $$
declare
    still_true constant jsonb := current_setting('prakerja.definitions')::jsonb;
    -- Named before the first is dropped: others may go along with it.
    outdated constant text[] := array(
        select format('function if exists %s', p.oid::regprocedure)
        from pg_proc as p
        where p.pronamespace = 'public'::regnamespace
            and obj_description(p.oid, 'pg_proc') like 'prakerja definition %'
            and obj_description(p.oid, 'pg_proc') is distinct from still_true ->> p.proname::text
            and not exists (
                select from pg_depend as d
                where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
                    and d.classid not in ('pg_proc'::regclass, 'pg_rewrite'::regclass)
            )
        union all
        select format('view if exists %s', c.oid::regclass)
        from pg_class as c
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
            and obj_description(c.oid, 'pg_class') like 'prakerja definition %'
            and obj_description(c.oid, 'pg_class') is distinct from still_true ->> c.relname::text
    );
    each text;
begin
    foreach each in array outdated loop
        execute format('drop %s cascade', each);
    end loop;
end;
$$;
