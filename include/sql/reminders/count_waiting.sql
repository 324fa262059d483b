-- Grain: one row: the messages of a run that change without an operator, by what they wait for. A receipt may still
-- settle a message that may have been taken and is not submitted again.
-- Parameters: cohort, remind_on, at, attempts_max, receipt_channels (array: those whose gateways send receipts),
-- receipts_since, channels (array: those that have a provider), repeatable_since (as in `claim_messages`).
with messages as (
    select
        *,
        state = 'unknown'
        and coalesce(submitted_at >= cast(cast(:repeatable_since as jsonb) ->> provider as timestamptz), false)
            as is_repeatable
    from reminders
    where cohort = :cohort and remind_on = :remind_on
)

select
    count(*) filter (where state = 'queued' and channel = any(cast(:channels as text[]))) as held_back,
    count(*) filter (
        where attempts < :attempts_max and (state = 'temporary_failure' or is_repeatable)
    ) as to_be_tried_again,
    count(*) filter (
        where channel = any(cast(:receipt_channels as text[]))
        and submitted_at > :receipts_since
        and (state = 'accepted' or (state = 'unknown' and not is_repeatable))
    ) as awaiting_receipt
from messages
