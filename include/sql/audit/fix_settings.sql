-- Grain: one row; fixes, for this transaction, every setting that changes which tables, functions and rows the
-- verification sees, or how a value is written. The owner of the database may have set others for its logins.
select
    pg_catalog.set_config('search_path', 'pg_catalog, public', true) as search_path,
    pg_catalog.set_config('row_security', 'off', true) as row_security,
    pg_catalog.set_config('timezone', 'UTC', true) as timezone,
    pg_catalog.set_config('datestyle', 'ISO', true) as datestyle,
    pg_catalog.set_config('intervalstyle', 'postgres', true) as intervalstyle,
    pg_catalog.set_config('bytea_output', 'hex', true) as bytea_output,
    pg_catalog.set_config('extra_float_digits', '1', true) as extra_float_digits
