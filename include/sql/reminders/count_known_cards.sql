-- Grain: one row: how many of these cards are in a roster.
-- Parameters: card_numbers.
select count(*) as known
from recipients
where card_number = any(cast(:card_numbers as bigint[]))
