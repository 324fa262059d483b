-- Grain: one row per submission and its answer. If a receipt was faster than the answer, its state stays.
-- Messages are locked in the order of ids, as receipts lock them: another order could deadlock.
-- Parameters: reminder_ids, attempts, rounds, states, provider_ids, failures, segments, were_unknown,
-- try_afters (arrays), at.
-- Role: remind.
with settled as materialized (
    select s.*
    from
        unnest(
            cast(:reminder_ids as bigint[]),
            cast(:attempts as smallint[]),
            cast(:rounds as smallint[]),
            cast(:states as text[]),
            cast(:provider_ids as text[]),
            cast(:failures as text[]),
            cast(:segments as smallint[]),
            cast(:were_unknown as boolean[]),
            cast(:try_afters as timestamptz[])
        ) as s (
            reminder_id, attempts, round, state, provider_id, failure, segments, was_unknown, try_after
        )
    inner join reminders as m on s.reminder_id = m.reminder_id
    order by s.reminder_id
    for update of m
)

update reminders as m
set
    state = case when m.state = 'sending' then s.state else m.state end,
    failure = case when m.state = 'sending' then s.failure else m.failure end,
    -- a message that was not submitted has used no attempt
    attempts = m.attempts - case when m.state = 'sending' and s.state = 'queued' then 1 else 0 end,
    submitted_at = case
        when m.state = 'sending' and s.state = 'queued' and m.attempts = 1 and m.round = 0 then null
        else m.submitted_at
    end,
    try_after = case when m.state = 'sending' then s.try_after else m.try_after end,
    settled_at = case when m.state = 'sending' then cast(:at as timestamptz) else m.settled_at end,
    provider_id = coalesce(s.provider_id, m.provider_id),
    segments = case
        when s.segments is null or (s.was_unknown and m.segments is not null) then m.segments
        else coalesce(m.segments, 0) + s.segments
    end
from settled as s
where
    m.reminder_id = s.reminder_id
    and m.attempts = s.attempts
    and m.round = s.round
    and m.state in ('sending', 'delivered', 'permanent_failure')
