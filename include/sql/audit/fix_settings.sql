-- Grain: one row; fixes, for the session, every setting that changes which tables, functions, operators and rows the
-- verification sees, or how a value is written. The owner of the database may have set others for its logins. With
-- nothing but PostgreSQL's own schema to look into, no name that is not qualified is the owner's; what is temporary
-- comes last, and is never a function or an operator.
select
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false) as search_path,
    pg_catalog.set_config('row_security', 'off', false) as row_security,
    pg_catalog.set_config('timezone', 'UTC', false) as timezone,
    pg_catalog.set_config('datestyle', 'ISO', false) as datestyle,
    pg_catalog.set_config('intervalstyle', 'postgres', false) as intervalstyle,
    pg_catalog.set_config('bytea_output', 'hex', false) as bytea_output,
    pg_catalog.set_config('extra_float_digits', '1', false) as extra_float_digits
