-- A person's story is told in the order of recording. A transaction that began before another, and acts on what that
-- one has recorded, must not seem to come first: its statement began after the other's commit.
do $$
declare
    each record;
begin
    for each in
        select c.table_name
        from information_schema.columns as c
        where c.table_schema = 'public' and c.column_name = 'recorded_at' and c.column_default = 'now()'
        order by c.table_name
    loop
        execute format('alter table %I alter column recorded_at set default statement_timestamp()', each.table_name);
    end loop;
end;
$$;
