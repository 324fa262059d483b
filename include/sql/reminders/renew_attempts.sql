-- Grain: one message that failed for now: whoever tries again begins anew.
-- Parameters: cohort, remind_on, at.
-- Duty: remind.
update reminders
set attempts = 0, try_after = :at
where cohort = :cohort and remind_on = :remind_on and state in ('temporary_failure', 'unknown')
