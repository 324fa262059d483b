-- Return how many rows of a table an entry has, and the SHA-256 of the rows' SHA-256s, over the given columns in the
-- table's order. Every setting that affects how a value is written is fixed, since the caller may have changed it.
create or replace function digest_of(fact text, of_entry bigint, columns text[])
returns table (rows bigint, sha256 bytea)
language plpgsql stable
set work_mem = '256MB'
set timezone = 'UTC'
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
as $$
declare
    listed text := (select string_agg(format('t.%I', c), ', ') from unnest(columns) as c);
    ordered text := (
        select string_agg(
            format('t.%I', c.column_name) || case c.data_type when 'text' then ' collate "C"' else '' end,
            ', ' order by o.position
        )
        from audited as a
        cross join unnest(a.ordered_by) with ordinality as o (column_name, position)
        inner join information_schema.columns as c
            on c.table_schema = 'public' and c.table_name = a.fact and c.column_name = o.column_name
        where a.fact = digest_of.fact
    );
begin
    return query execute format(
        'select count(*),'
        ' sha256(coalesce(string_agg(sha256(convert_to(row(%s)::text, ''UTF8'')), ''''::bytea order by %s), ''''))'
        ' from %I as t where t.entry = $1',
        listed, ordered, digest_of.fact
    )
    using of_entry;
end;
$$;
