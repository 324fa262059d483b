-- Grain: one row per column of a table that keeps facts, in the table's order: a plain table with the column `entry`.
-- `is_text` says that it is ordered as bytes; `ordered_as` is its place in the order of the table's rows.
select
    c.relname as fact,
    a.attname as column_name,
    a.atttypid = 'text'::regtype as is_text,
    array_position(t.ordered_by, a.attname::text) as ordered_as
from pg_class as c
inner join pg_attribute as a on c.oid = a.attrelid
left join audited as t on c.relname = t.fact
where
    c.relnamespace = 'public'::regnamespace
    and c.relkind = 'r'
    and c.relname not in ('audit_log', 'audit_pending', 'audit_pending_facts')
    and a.attnum > 0
    and not a.attisdropped
    and exists (select from pg_attribute as e where e.attrelid = c.oid and e.attname = 'entry' and not e.attisdropped)
order by c.relname, a.attnum
