-- Grain: one row per pending change that rests on a correction, or is of a NIK that a corrected person is listed under;
-- and one with the op LISTED for each corrected person who is listed. No row where nothing was ever corrected.
-- `request` is what the change's correction was approved by, `digest` the batch of an addition.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
with listed as materialized (
    select
        l.recipient_id,
        r.card_number,
        coalesce(v.nik, r.nik) as nik
    from niks_in_force as n
    inner join listed_changes as l on n.recipient_id = l.recipient_id
    inner join recipients as r on l.recipient_id = r.recipient_id
    left join correction_values as v on l.nik_correction_id = v.correction_id
),

pending as (
    select
        p.op,
        p.recipient_id,
        p.digest,
        p.by_correction_id,
        p.is_replacement,
        r.card_number,
        coalesce(v.nik, r.nik) as nik
    from pending_changes(:revoked_by, :reinstated_by) as p
    inner join recipients as r on p.recipient_id = r.recipient_id
    left join correction_values as v on p.nik_correction_id = v.correction_id
    where exists (select from correction_decisions as d where d.is_approved)
)

select
    p.op,
    p.recipient_id,
    p.is_replacement,
    p.card_number,
    p.nik,
    p.digest,
    c.request
from pending as p
left join corrections as c on p.by_correction_id = c.correction_id
where p.by_correction_id <> 0 or p.nik in (select l.nik from listed as l)
union all
select
    'LISTED',
    l.recipient_id,
    false,
    l.card_number,
    l.nik,
    null,
    null
from listed as l
