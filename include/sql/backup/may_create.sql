-- Grain: one row: whether this login may create a schema's tables in this database, and who owns the database.
-- Parameters: none.
select
    has_schema_privilege('public', 'create') as may_create,
    pg_get_userbyid(d.datdba) as owner
from pg_database as d
where d.datname = current_database()
