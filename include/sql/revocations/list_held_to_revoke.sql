-- Grain: one row per held recipient of a decision who was found not to have bought, on or before a day, and is not
-- revoked.
-- Parameters: cohort, deadline_on, as_of.
select
    h.recipient_id,
    lpad(r.card_number::text, 16, '0') as card_number,
    h.resolved_by
from hold_resolutions as h
inner join recipients as r on h.recipient_id = r.recipient_id
inner join outcomes as o on h.recipient_id = o.recipient_id
where
    o.cohort = :cohort
    and o.deadline_on = :deadline_on
    and o.outcome = 'held'
    and h.deadline_on = o.deadline_on
    and not h.is_purchased
    and h.resolved_on <= :as_of
    and not exists (select from revocations as v where v.recipient_id = h.recipient_id)
order by h.recipient_id
