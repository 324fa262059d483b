-- Grain: one row per state of a reminder run.
-- Parameters: cohort, remind_on.
select
    state,
    count(*) as reminders
from reminders
where cohort = :cohort and remind_on = :remind_on
group by state
order by state
