-- Grain: one number, the revoked recipients of a cohort, by any of its decisions, whose reinstatement was proposed
-- on or before a day and is not carried out.
-- Parameters: cohort, as_of.
select count(distinct f.recipient_id)
from late_findings as f
inner join revocations as r on f.recipient_id = r.recipient_id
inner join decisions as d on r.decision_id = d.decision_id
where
    finding_effect(f.kind) = 'reinstatement'
    and f.found_on <= :as_of
    and d.cohort = :cohort
    and not exists (select from reinstatements as e where e.recipient_id = f.recipient_id)
