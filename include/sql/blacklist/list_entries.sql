-- Grain: one row per person listed in a version.
-- Parameters: version.
with listed as (
    select distinct on (recipient_id)
        recipient_id,
        op
    from blacklist_changes
    where version <= :version
    order by recipient_id, blacklist_changes.version desc
)

select
    p.nik,
    p.cohort,
    r.reason,
    r.effective_at,
    r.decision_id
from listed as l
inner join revocations as r on l.recipient_id = r.recipient_id
inner join recipients as p on l.recipient_id = p.recipient_id
where l.op = 'ADD'
