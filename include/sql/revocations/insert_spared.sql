-- Grain: one finding per overdue recipient who was not revoked, since deliveries after the decision speak for them.
-- May run twice. Parameters: cohort, deadline_on, clock.
-- Duty: decide.
insert into late_findings (recipient_id, kind, found_on)
select
    o.recipient_id,
    'spared',
    :clock
from outcomes as o
where
    o.cohort = :cohort
    and o.deadline_on = :deadline_on
    and o.outcome = 'overdue'
    and not exists (select from hold_resolutions as h where h.recipient_id = o.recipient_id and h.is_purchased)
    and not exists (select from revocations as r where r.recipient_id = o.recipient_id)
on conflict (recipient_id, kind) do nothing
