-- Grain: one row, how many a version adds and withdraws, how many were listed before it, and a digest of the changes.
-- Parameters: version.
select
    count(*) filter (where c.version = :version and c.op = 'ADD') as added,
    count(*) filter (where c.version = :version and c.op = 'WITHDRAW') as withdrawn,
    count(*) filter (where c.version < :version and c.op = 'ADD')
    - count(*) filter (where c.version < :version and c.op = 'WITHDRAW') as listed_before,
    encode(sha256(convert_to(coalesce(string_agg(
        c.op || ' ' || c.recipient_id, chr(10)
        order by c.recipient_id
    ) filter (where c.version = :version), ''), 'UTF8')), 'hex') as digest
from blacklist_changes as c
