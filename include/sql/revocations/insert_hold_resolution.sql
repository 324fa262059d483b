-- Grain: one resolution per held recipient and deadline; none where the decision for it did not hold that one, and none
-- after a purchase was found. Whoever is suspended by then is not resolved as not purchased.
-- Parameters: deadline_on, recipient_id, is_purchased, because, resolved_by, resolved_on.
-- Role: decide.
insert into hold_resolutions (recipient_id, deadline_on, is_purchased, because, resolved_by, resolved_on)
select
    o.recipient_id,
    o.deadline_on,
    :is_purchased,
    :because,
    :resolved_by,
    :resolved_on
from outcomes as o
where
    o.recipient_id = :recipient_id
    and o.deadline_on = :deadline_on
    and o.outcome = 'held'
    and not exists (select from hold_resolutions as h where h.recipient_id = o.recipient_id and h.is_purchased)
    and not exists (
        select from suspended_at(:resolved_on, :resolved_on) as s
        where s.recipient_id = o.recipient_id and not :is_purchased
    )
on conflict (recipient_id, deadline_on) do nothing
