-- Grain: one row per request of corrected NIKs that was approved, in order. `digests` and `corrected_by` are of all
-- of its corrections, as they are.
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
