-- Grain: one id per attempt to decide a cohort for a deadline that was stopped by missing deliveries.
-- Parameters: cohort, deadline_on.
select decision_id
from decisions
where cohort = :cohort and deadline_on = :deadline_on and status = 'blocked' and reason = 'feeds_missing'
order by attempt
