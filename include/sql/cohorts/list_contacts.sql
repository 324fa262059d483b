-- Grain: one row per recipient with their sealed contact, ordered by id.
-- Parameters: after (id), most (rows).
select
    recipient_id,
    card_number,
    contact
from recipients
where recipient_id > :after
order by recipient_id
limit :most
