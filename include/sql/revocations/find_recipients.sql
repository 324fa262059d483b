-- Grain: one row per recipient whose card or NIK is among these numbers, or who is among these, with the outcome if
-- there is one.
-- Parameters: numbers, recipient_ids.
select
    r.recipient_id,
    r.card_number,
    r.nik,
    r.cohort,
    o.deadline_on as decided_deadline_on,
    o.outcome,
    o.because,
    v.recipient_id is not null as is_revoked,
    e.because as reinstated_because,
    exists(
        select from hold_resolutions as h
        where h.recipient_id = r.recipient_id and h.is_purchased
    ) as is_found_purchased,
    (select max(s.as_of) from standings as s where s.cohort = r.cohort) as standing_as_of
from recipients as r
left join
    lateral (
        select
            n.deadline_on,
            n.outcome,
            n.because
        from outcomes as n
        where n.recipient_id = r.recipient_id
        order by n.deadline_on desc
        limit 1
    ) as o
    on true
left join revocations as v on r.recipient_id = v.recipient_id
left join reinstatements as e on r.recipient_id = e.recipient_id
where
    r.card_number = any(cast(:numbers as bigint[]))
    or r.nik = any(cast(:numbers as bigint[]))
    or r.recipient_id = any(cast(:recipient_ids as bigint[]))
