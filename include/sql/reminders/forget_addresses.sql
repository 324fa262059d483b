-- Grain: one message that is older than the retention period: its address and keys are erased, and the message stays.
-- Parameters: before.
-- Role: remind.
update reminders
set address = null, idempotency_key = null, provider_id = null, unsubscribe_key = null
where remind_on < :before and (address is not null or idempotency_key is not null)
