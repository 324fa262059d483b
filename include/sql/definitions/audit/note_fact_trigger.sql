-- Attach the audit log to each table in `audited`: a new row takes its transaction's entry, and the fact is recorded.
do $$
declare
    audited_fact text;
begin
    for audited_fact in select a.fact from audited as a order by a.fact loop
        -- An existing default is kept: setting one takes a lock that blocks all access to the table.
        if not exists (
            select from pg_attrdef as d
            inner join pg_attribute as a on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = to_regclass(audited_fact) and a.attname = 'entry'
                and pg_get_expr(d.adbin, d.adrelid) = 'current_entry()'
        ) then
            execute format('alter table %I alter column entry set default current_entry()', audited_fact);
        end if;
        execute format('create or replace trigger note_fact after insert on %I referencing new table as added'
            ' for each statement execute function note_fact()', audited_fact);
    end loop;
end;
$$;
