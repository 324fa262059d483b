-- Grain: one recipient's sealed contact, in the order of ids, so many at once.
-- Parameters: after, most.
select
    recipient_id,
    card_number,
    contact
from recipients
where recipient_id > :after
order by recipient_id
limit :most
