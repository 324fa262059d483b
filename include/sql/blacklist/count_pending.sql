-- Grain: one number, the recipients who must be added or withdrawn since the last version: those of `insert_changes`.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
with pending as (
    select r.recipient_id
    from revocations as r
    where
        r.revoked_on <= :revoked_by
        and not exists (select from reinstatements as e where e.recipient_id = r.recipient_id)
        and not exists (
            select from blacklist_changes as c
            where c.recipient_id = r.recipient_id and c.op = 'ADD'
        )
    union all
    select e.recipient_id
    from reinstatements as e
    inner join blacklist_changes as c on e.recipient_id = c.recipient_id and c.op = 'ADD'
    where
        e.reinstated_on <= :reinstated_by
        and not exists (
            select from blacklist_changes as w
            where w.recipient_id = e.recipient_id and w.op = 'WITHDRAW'
        )
)

select count(*)
from pending
