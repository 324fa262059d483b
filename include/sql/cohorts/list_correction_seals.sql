-- Grain: one row per correction with its seals, ordered by id.
-- Parameters: after (id), most (rows).
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
