-- Grain: one change per recipient of a version: revoked and not listed, or reinstated and listed.
-- Parameters: version; revoked_by, reinstated_by: what happened later is for a later version.
with listed as (
    select c.recipient_id
    from blacklist_changes as c
    where c.op = 'ADD' and not exists (
        select from blacklist_changes as l
        where l.recipient_id = c.recipient_id and l.version > c.version
    )
)

insert into blacklist_changes (version, op, recipient_id, reason)
select
    :version,
    case when e.recipient_id is null then 'ADD' else 'WITHDRAW' end,
    r.recipient_id,
    case when e.recipient_id is null then r.reason else 'REINSTATED' end
from revocations as r
left join reinstatements as e on r.recipient_id = e.recipient_id
left join listed as l on r.recipient_id = l.recipient_id
where
    (e.recipient_id is null and r.revoked_on <= :revoked_by and l.recipient_id is null)
    or (e.reinstated_on <= :reinstated_by and l.recipient_id is not null)
