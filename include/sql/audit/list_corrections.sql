-- Grain: one row per approved request of corrected NIKs, in the order of the approvals. `digests` and `corrected_by`
-- are those of all corrections of the request.
-- Parameters: none.
select
    d.request,
    d.entry,
    d.decided_by,
    d.decided_on,
    d.recorded_at,
    d.signature,
    array(select c.digest from public.corrections as c where c.request = d.request order by c.digest) as digests,
    array(
        select distinct lower(c.corrected_by) as person
        from public.corrections as c
        where c.request = d.request
        order by person
    ) as corrected_by
from public.correction_decisions as d
where d.is_approved
order by d.decision_number
