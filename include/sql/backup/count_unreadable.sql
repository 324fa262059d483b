-- Grain: one row: how many of the schema's tables and sequences this login may not read, and who owns them. pg_dump
-- reads all of them.
-- Parameters: none.
select
    count(*) filter (where not has_table_privilege(c.oid, 'select')) as unreadable,
    min(pg_get_userbyid(c.relowner)) as owner
from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
