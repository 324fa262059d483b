-- Grain: one change per recipient of a version: revoked and not listed, or reinstated and listed. Nobody is revoked
-- twice, so who was withdrawn is never added again.
-- Parameters: version; revoked_by, reinstated_by: what happened later is for a later version.
insert into blacklist_changes (version, op, recipient_id, reason)
select
    :version,
    'ADD',
    r.recipient_id,
    r.reason
from revocations as r
where
    r.revoked_on <= :revoked_by
    and not exists (select from reinstatements as e where e.recipient_id = r.recipient_id)
    and not exists (
        select from blacklist_changes as c
        where c.recipient_id = r.recipient_id and c.op = 'ADD'
    )
union all
select
    :version,
    'WITHDRAW',
    e.recipient_id,
    'REINSTATED'
from reinstatements as e
inner join blacklist_changes as c on e.recipient_id = c.recipient_id and c.op = 'ADD'
where
    e.reinstated_on <= :reinstated_by
    and not exists (
        select from blacklist_changes as w
        where w.recipient_id = e.recipient_id and w.op = 'WITHDRAW'
    )
