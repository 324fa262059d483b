-- Grain: one number, the recipients who must be added or withdrawn since the last version.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
with listed as (
    select c.recipient_id
    from blacklist_changes as c
    where c.op = 'ADD' and not exists (
        select from blacklist_changes as l
        where l.recipient_id = c.recipient_id and l.version > c.version
    )
)

select count(*)
from revocations as r
left join reinstatements as e on r.recipient_id = e.recipient_id
left join listed as l on r.recipient_id = l.recipient_id
where
    (e.recipient_id is null and r.revoked_on <= :revoked_by and l.recipient_id is null)
    or (e.reinstated_on <= :reinstated_by and l.recipient_id is not null)
