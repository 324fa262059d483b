-- Grain: one row per approval of corrected NIKs that was signed, in order.
-- Parameters: none.
select
    d.request,
    d.decided_by,
    d.recorded_at,
    d.signature,
    array(select c.digest from corrections as c where c.request = d.request order by c.digest) as digests
from correction_decisions as d
where d.signature is not null
order by d.decision_number
