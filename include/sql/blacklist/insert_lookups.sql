-- Grain: one row per line of a service's spool: instant, key, operation, asked, listed, version. A line that was loaded
-- before is not loaded again.
-- Parameters: spool, first_line (the number of the first of these lines), lines.
-- Role: serve.
insert into lookups (spool, line, api_key_id, looked_up_at, operation, asked, listed, version)
select
    :spool,
    :first_line + n.place - 1,
    split_part(n.line, ' ', 2),
    to_timestamp(cast(split_part(n.line, ' ', 1) as double precision)),
    split_part(n.line, ' ', 3),
    cast(split_part(n.line, ' ', 4) as integer),
    cast(split_part(n.line, ' ', 5) as integer),
    cast(split_part(n.line, ' ', 6) as bigint)
from string_to_table(:lines, chr(10)) with ordinality as n (line, place)
on conflict (spool, line) do nothing
