-- Grain: one row per approved correction of the NIK of these cards, with everything that its signature covers.
-- `digests` and `corrected_by` are those of all corrections of the request.
-- Parameters: cards.
select
    r.card_number,
    v.sealed,
    c.digest,
    c.request,
    c.corrected_on,
    d.decided_by,
    d.decided_on,
    d.signature,
    array(select o.digest from corrections as o where o.request = c.request order by o.digest) as digests,
    array(
        select distinct o.corrected_by
        from corrections as o
        where o.request = c.request
        order by o.corrected_by
    ) as corrected_by
from recipients as r
inner join corrections as c on r.recipient_id = c.recipient_id
inner join correction_values as v on c.correction_id = v.correction_id
inner join correction_decisions as d on c.request = d.request
where d.is_approved and r.card_number = any(cast(:cards as bigint[]))
order by d.decision_number, c.correction_id
