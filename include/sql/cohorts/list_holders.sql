-- Grain: one row per recipient with one of these NIKs in force.
-- Parameters: niks.
select
    r.recipient_id,
    r.nik
from recipients as r
where
    r.nik = any(cast(:niks as bigint[]))
    and not exists (select from niks_in_force as n where n.recipient_id = r.recipient_id)
union all
select
    n.recipient_id,
    n.nik
from niks_in_force as n
where n.nik = any(cast(:niks as bigint[]))
