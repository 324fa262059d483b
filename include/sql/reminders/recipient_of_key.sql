-- Grain: the recipient of the e-mail with this key in its link.
-- Parameters: key.
select recipient_id
from reminders
where unsubscribe_key = cast(:key as uuid) and channel = 'email'
