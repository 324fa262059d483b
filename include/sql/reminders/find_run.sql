-- Grain: the reminder run of a cohort and date, if it has begun.
-- Parameters: cohort, remind_on.
select
    deadline_on,
    audience,
    texts,
    texts_sha256
from reminder_runs
where cohort = :cohort and remind_on = :remind_on
