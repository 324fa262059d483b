-- Grain: one override per attempt that a breaker stopped, ever.
-- Parameters: decision_id, overridden_by, because, overridden_on.
-- Role: decide.
insert into overrides (decision_id, overridden_by, because, overridden_on)
select
    d.decision_id,
    :overridden_by,
    :because,
    :overridden_on
from decisions as d
where d.decision_id = :decision_id and d.status = 'blocked'
on conflict (decision_id) do nothing
