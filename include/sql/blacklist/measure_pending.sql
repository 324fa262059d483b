-- Grain: one row, how many are to be added and withdrawn since the last version, how many under another NIK, how many
-- it lists, and a digest of the additions and one of the withdrawals. Another NIK of a person is neither of these.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version; unsigned: the batches whose people
-- are neither to be added nor withdrawn; waiting: people who are not to be added.
with pending as materialized (
    select
        p.op,
        p.op || ' ' || p.recipient_id as line,
        p.recipient_id,
        p.is_replacement
    from pending_changes(:revoked_by, :reinstated_by) as p
    where
        (p.is_replacement or p.digest <> all(cast(:unsigned as text[])))
        and (
            (p.op = 'WITHDRAW' and not p.is_replacement)
            or p.recipient_id <> all(cast(:waiting as bigint[]))
        )
)

select
    count(*) filter (where p.op = 'ADD' and not p.is_replacement) as added,
    count(*) filter (where p.op = 'WITHDRAW' and not p.is_replacement) as withdrawn,
    count(*) filter (where p.op = 'ADD' and p.is_replacement) as replaced,
    (
        select count(*) filter (where c.op = 'ADD') - count(*) filter (where c.op = 'WITHDRAW')
        from blacklist_changes as c
    ) as listed_before,
    encode(sha256(convert_to(coalesce(
        string_agg(p.line, chr(10) order by p.recipient_id) filter (where p.op = 'ADD' and not p.is_replacement), ''
    ), 'UTF8')), 'hex') as additions,
    encode(sha256(convert_to(coalesce(
        string_agg(p.line, chr(10) order by p.recipient_id) filter (where p.op = 'WITHDRAW' and not p.is_replacement),
        ''
    ), 'UTF8')), 'hex') as withdrawals
from pending as p
