-- Grain: whom the message with this key was for.
-- Parameters: key.
select recipient_id
from reminders
where idempotency_key = cast(:key as uuid)
