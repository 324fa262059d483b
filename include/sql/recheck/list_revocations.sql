-- Grain: one row per approved revocation of a recipient of a cohort.
-- Parameters: cohort.
-- Role: recheck.
select
    r.card_number,
    v.decision_id,
    d.deadline_on,
    v.revoked_on
from revocations as v
inner join recipients as r on v.recipient_id = r.recipient_id
inner join decisions as d on v.decision_id = d.decision_id
where r.cohort = :cohort
order by r.card_number
