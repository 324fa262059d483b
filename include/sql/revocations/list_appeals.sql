-- Grain: one row per appeal, open appeals first.
-- Parameters: none.
select
    a.appeal_id,
    r.cohort,
    right(r.card_number::text, 4) as card_ends,
    a.text,
    a.opened_by,
    a.opened_on,
    revoked_by(v) as revoked_by,
    d.is_upheld,
    d.because,
    d.decided_by,
    d.decided_on
from appeals as a
inner join recipients as r on a.recipient_id = r.recipient_id
inner join revocations as v on a.recipient_id = v.recipient_id
left join appeal_decisions as d on a.appeal_id = d.appeal_id
order by d.appeal_id is not null, a.appeal_id
