-- Grain: one row per resolved hold of a cohort, by recipient and deadline.
-- Parameters: cohort.
-- Role: recheck.
select
    r.card_number,
    h.deadline_on,
    h.is_purchased,
    h.resolved_on
from hold_resolutions as h
inner join recipients as r on h.recipient_id = r.recipient_id
where r.cohort = :cohort
order by r.card_number, h.deadline_on
