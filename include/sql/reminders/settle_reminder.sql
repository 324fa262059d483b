-- Grain: one reminder, what the gateway answered. A settled one stays as it is.
-- Parameters: reminder_id, state, provider_id, failure.
update reminders
set state = :state, provider_id = :provider_id, failure = :failure
where reminder_id = :reminder_id and state = 'sending'
