-- Grain: one row per column of the named tables, or one row without a column for a table that has none: the kind of the
-- table, whether this session may read it, and the type of the column. `is_own_collation` is true if the column has a
-- collation other than its type's.
-- Parameters: names.
select
    c.relname::text as table_name,
    c.relkind::text as kind,
    c.relrowsecurity or c.relforcerowsecurity as has_row_security,
    c.relispartition or exists (
        select from pg_catalog.pg_inherits as i
        where i.inhparent = c.oid or i.inhrelid = c.oid
    ) as inherits,
    pg_catalog.has_table_privilege(c.oid, 'select'::text) as may_read,
    a.attname::text as column_name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) as type_name,
    coalesce(a.attgenerated::text <> '', false) as is_computed,
    coalesce(a.attcollation <> t.typcollation, false) as is_own_collation
from pg_catalog.pg_class as c
left join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_type as t on a.atttypid = t.oid
where
    c.relnamespace = 'public'::pg_catalog.regnamespace
    and c.relname::text = any(cast(:names as text[]))
    and c.relkind not in ('i', 'I', 'S', 'c', 't')
order by c.relname, a.attnum
