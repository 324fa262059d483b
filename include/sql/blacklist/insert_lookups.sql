-- Grain: one row per line of a service's spool. A line that was loaded before is not loaded again.
-- Parameters: spool; lines, api_key_ids, instants, operations, asked, listed, versions, of the same length.
insert into lookups (spool, line, api_key_id, looked_up_at, operation, asked, listed, version)
select
    :spool,
    n.line,
    n.api_key_id,
    n.looked_up_at,
    n.operation,
    n.asked,
    n.listed,
    n.version
from
    unnest(
        cast(:lines as bigint[]),
        cast(:api_key_ids as text[]),
        cast(:instants as timestamptz[]),
        cast(:operations as text[]),
        cast(:asked as integer[]),
        cast(:listed as integer[]),
        cast(:versions as bigint[])
    ) as n (line, api_key_id, looked_up_at, operation, asked, listed, version)
on conflict (spool, line) do nothing
