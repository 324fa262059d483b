-- Grain: one finding per recipient who was revoked before their deadline was extended, while the new one runs.
-- May run twice. Parameters: decision_id, clock.
-- Duty: decide.
insert into late_findings (recipient_id, kind, found_on)
select
    v.recipient_id,
    'deadline_extended',
    :clock
from revocations as v
where v.decision_id = :decision_id
on conflict (recipient_id, kind) do nothing
