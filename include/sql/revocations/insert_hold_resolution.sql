-- Grain: one resolution per held recipient, ever; nothing where the decision did not hold that one.
-- Parameters: deadline_on, recipient_id, is_purchased, because, resolved_by, resolved_on.
-- Duty: decide.
insert into hold_resolutions (recipient_id, deadline_on, is_purchased, because, resolved_by, resolved_on)
select
    o.recipient_id,
    o.deadline_on,
    :is_purchased,
    :because,
    :resolved_by,
    :resolved_on
from outcomes as o
where o.recipient_id = :recipient_id and o.deadline_on = :deadline_on and o.outcome = 'held'
on conflict (recipient_id) do nothing
