-- Grain: one number, the recipients who must be added or withdrawn since the last version.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
with listed as (
    select distinct on (recipient_id)
        recipient_id,
        op
    from blacklist_changes
    order by recipient_id, version desc
)

select count(*)
from revocations as r
left join reinstatements as e on r.recipient_id = e.recipient_id
left join listed as l on r.recipient_id = l.recipient_id
where
    (e.recipient_id is null and r.revoked_on <= :revoked_by and l.op is distinct from 'ADD')
    or (e.reinstated_on <= :reinstated_by and l.op = 'ADD')
