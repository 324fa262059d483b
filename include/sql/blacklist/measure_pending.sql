-- Grain: one row, how many are to be added and withdrawn since the last version, how many it lists, and a digest of
-- the additions and one of the withdrawals.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version; unsigned: the batches whose people
-- are not to be added.
with pending as materialized (
    select
        p.op,
        p.op || ' ' || p.recipient_id as line,
        p.recipient_id
    from pending_changes(:revoked_by, :reinstated_by) as p
    where p.op <> 'ADD' or p.digest <> all(cast(:unsigned as text[]))
)

select
    count(*) filter (where p.op = 'ADD') as added,
    count(*) filter (where p.op = 'WITHDRAW') as withdrawn,
    (
        select count(*) filter (where c.op = 'ADD') - count(*) filter (where c.op = 'WITHDRAW')
        from blacklist_changes as c
    ) as listed_before,
    encode(sha256(convert_to(coalesce(
        string_agg(p.line, chr(10) order by p.recipient_id) filter (where p.op = 'ADD'), ''
    ), 'UTF8')), 'hex') as additions,
    encode(sha256(convert_to(coalesce(
        string_agg(p.line, chr(10) order by p.recipient_id) filter (where p.op = 'WITHDRAW'), ''
    ), 'UTF8')), 'hex') as withdrawals
from pending as p
