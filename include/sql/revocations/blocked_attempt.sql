-- Grain: one row, the latest attempt to decide a cohort, with its override if it has one.
-- Parameters: cohort.
select
    d.decision_id,
    d.status,
    d.reason,
    d.detail,
    d.announced_on,
    d.deadline_on,
    d.settlement_days,
    d.missing_feeds,
    o.overridden_by
from decisions as d
left join overrides as o on d.decision_id = o.decision_id
where d.cohort = :cohort
order by d.attempt desc
limit 1
