-- Grain: one row: what of a run moves by itself, by what it waits for.
-- Parameters: cohort, remind_on, at, attempts_max, receipts_since, channels (array: those that have a provider).
select
    count(*) filter (where state = 'queued' and channel = any(cast(:channels as text[]))) as held_back,
    count(*) filter (
        where attempts < :attempts_max
        and (state = 'temporary_failure' or (state = 'unknown' and channel = 'sms'))
    ) as to_be_tried_again,
    count(*) filter (
        where state = 'accepted' and channel = 'sms' and submitted_at > :receipts_since
    ) as awaiting_receipt
from reminders
where cohort = :cohort and remind_on = :remind_on
