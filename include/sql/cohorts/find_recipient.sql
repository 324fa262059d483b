-- Grain: at most one row, the recipient of a card, else of a NIK in force.
-- Parameters: number.
with found as (
    select
        r.recipient_id,
        1 as preference
    from recipients as r
    where r.card_number = :number
    union all
    select
        r.recipient_id,
        2
    from recipients as r
    where r.nik = :number and not exists (select from niks_in_force as n where n.recipient_id = r.recipient_id)
    union all
    select
        n.recipient_id,
        2
    from niks_in_force as n
    where n.nik = :number
)

select recipient_id
from found
order by preference
limit 1
