-- Grain: one number, the distinct cards in force that no loaded roster has.
-- Parameters: as_of.
select count(distinct t.card_number)
from transactions as t
inner join deliveries_in_force(cast(:as_of as date)) as f on t.delivery_id = f.delivery_id
where not exists (select from recipients as r where r.card_number = t.card_number)
