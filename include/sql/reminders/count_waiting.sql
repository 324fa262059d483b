-- Grain: one row: what of a run moves by itself, by what it waits for. Of a message that may have been taken, and that
-- its provider is not asked for again, a receipt may still tell.
-- Parameters: cohort, remind_on, at, attempts_max, receipt_channels (array: those whose gateways send receipts),
-- receipts_since, channels (array: those that have a provider), asks_again (as `claim_messages` takes it).
with found as (
    select
        *,
        state = 'unknown'
        and coalesce(submitted_at >= cast(cast(:asks_again as jsonb) ->> provider as timestamptz), false)
            as is_asked_again
    from reminders
    where cohort = :cohort and remind_on = :remind_on
)

select
    count(*) filter (where state = 'queued' and channel = any(cast(:channels as text[]))) as held_back,
    count(*) filter (
        where attempts < :attempts_max and (state = 'temporary_failure' or is_asked_again)
    ) as to_be_tried_again,
    count(*) filter (
        where channel = any(cast(:receipt_channels as text[]))
        and submitted_at > :receipts_since
        and (state = 'accepted' or (state = 'unknown' and not is_asked_again))
    ) as awaiting_receipt
from found
