-- Grain: one row per recipient whose card or NIK is among these numbers, with the outcome if there is one.
-- Parameters: numbers.
select
    r.recipient_id,
    r.card_number,
    r.nik,
    r.cohort,
    o.decision_id,
    o.outcome,
    o.because,
    v.recipient_id is not null as is_revoked,
    e.recipient_id is not null as is_reinstated,
    h.is_purchased as is_found_purchased,
    (select max(s.as_of) from standings as s where s.cohort = r.cohort) as standing_as_of
from recipients as r
left join outcomes as o on r.recipient_id = o.recipient_id
left join revocations as v on r.recipient_id = v.recipient_id
left join reinstatements as e on r.recipient_id = e.recipient_id
left join hold_resolutions as h on r.recipient_id = h.recipient_id
where r.card_number = any(cast(:numbers as bigint[])) or r.nik = any(cast(:numbers as bigint[]))
