-- Grain: one message whose sender died or lost the warehouse: it may have been submitted.
-- Parameters: cohort, remind_on, at.
-- Role: remind.
update reminders
set state = 'unknown', failure = 'sender_died', try_after = :at
where cohort = :cohort and remind_on = :remind_on and state = 'sending'
