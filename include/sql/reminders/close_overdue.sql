-- Grain: one message whose time is over: it was not sent, or its fate stays unknown.
-- Parameters: at, cohort, remind_on (nulls: every run).
-- Role: remind.
with late as materialized (
    select reminder_id
    from reminders
    where
        send_before <= :at and state in ('queued', 'temporary_failure', 'unknown', 'sending')
        and (cast(:cohort as integer) is null or (cohort = :cohort and remind_on = :remind_on))
    order by reminder_id
    for update
)

update reminders
set
    state = case when state in ('queued', 'temporary_failure') then 'expired' else 'permanent_failure' end,
    failure = case when state in ('queued', 'temporary_failure') then failure else 'fate_unknown' end,
    settled_at = :at
where
    reminder_id in (select late.reminder_id from late)
    and send_before <= :at
    and (cast(:cohort as integer) is null or (cohort = :cohort and remind_on = :remind_on))
    and (
        state in ('queued', 'temporary_failure', 'unknown')
        -- a sender may still be submitting it
        or (state = 'sending' and send_before <= cast(:at as timestamptz) - interval '1 hour')
    )
