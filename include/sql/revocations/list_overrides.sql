-- Grain: one row per breaker that was overridden for a decision, in order: what it said, who overrode it, and why.
-- Parameters: decision_id.
select
    b.reason,
    b.detail,
    o.overridden_by,
    o.because
from decisions as d
inner join overrides as o on o.decision_id = any(d.overrides)
inner join decisions as b on o.decision_id = b.decision_id
where d.decision_id = :decision_id
order by b.attempt
