-- Grain: one row per value of an enumeration in the schema `public`, in order.
-- Parameters: none.
select
    pg_catalog.format_type(t.oid, null) as type_name,
    e.enumlabel::text as value
from pg_catalog.pg_type as t
inner join pg_catalog.pg_enum as e on t.oid = e.enumtypid
where t.typnamespace = 'public'::pg_catalog.regnamespace
order by 1, e.enumsortorder
