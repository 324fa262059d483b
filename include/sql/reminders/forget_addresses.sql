-- Grain: one message that is older than the retention period: that it was sent stays, to which address goes.
-- Parameters: before.
-- Role: remind.
update reminders
set address = null, idempotency_key = null, provider_id = null, unsubscribe_key = null
where remind_on < :before and (address is not null or idempotency_key is not null)
