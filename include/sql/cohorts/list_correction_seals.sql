-- Grain: one correction's seals, in the order of ids, so many at once.
-- Parameters: after, most.
select
    v.correction_id,
    r.card_number,
    v.sealed,
    v.contact
from correction_values as v
inner join recipients as r on v.recipient_id = r.recipient_id
where v.correction_id > :after
order by v.correction_id
limit :most
