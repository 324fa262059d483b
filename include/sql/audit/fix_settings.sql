-- Grain: one row. Set, for the session, every setting that affects which tables, functions, operators and rows the
-- verification sees, or how a value is written: the owner of the database may have set others for its logins.
-- The search path has only PostgreSQL's own schema, so an unqualified name never resolves to an object of the owner.
-- Temporary objects come last, and are never searched for functions or operators. Nothing can be written afterwards.
-- Parameters: none.
select
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false) as search_path,
    pg_catalog.set_config('row_security', 'off', false) as row_security,
    pg_catalog.set_config('timezone', 'UTC', false) as timezone,
    pg_catalog.set_config('datestyle', 'ISO', false) as datestyle,
    pg_catalog.set_config('intervalstyle', 'postgres', false) as intervalstyle,
    pg_catalog.set_config('bytea_output', 'hex', false) as bytea_output,
    pg_catalog.set_config('extra_float_digits', '1', false) as extra_float_digits,
    pg_catalog.set_config('default_transaction_read_only', 'on', false) as default_transaction_read_only
