-- Grain: one row per cohort whose latest attempt to decide was stopped by missing deliveries.
-- Parameters: none.
with latest as (
    select distinct on (cohort)
        cohort,
        decision_id,
        status,
        reason,
        deadline_on,
        missing_feeds
    from decisions
    order by cohort, attempt desc
)

select
    cohort,
    decision_id,
    deadline_on,
    missing_feeds
from latest
where status = 'blocked' and reason = 'feeds_missing'
order by cohort
