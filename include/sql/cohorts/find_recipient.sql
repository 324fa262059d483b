-- Grain: one row, the recipient of a card, else of a NIK, or none.
-- Parameters: number.
select recipient_id
from recipients
where card_number = :number or nik = :number
order by card_number = :number desc
limit 1
