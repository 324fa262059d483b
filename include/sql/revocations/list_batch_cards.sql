-- Grain: one row per member of a batch, with the card.
-- Parameters: digest.
select
    m.recipient_id,
    lpad(r.card_number::text, 16, '0') as card_number
from batch_members as m
inner join recipients as r on m.recipient_id = r.recipient_id
where m.digest = :digest
