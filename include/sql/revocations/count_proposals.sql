-- Grain: one number, the reinstatements proposed for a decision by a day, and not carried out.
-- Parameters: decision_id, clock.
select count(*)
from late_findings as f
inner join revocations as r on f.recipient_id = r.recipient_id
where
    f.kind in ('reinstatement_proposed', 'deadline_extended')
    and f.found_on <= :clock
    and r.decision_id = :decision_id
    and not exists (select from reinstatements as e where e.recipient_id = f.recipient_id)
