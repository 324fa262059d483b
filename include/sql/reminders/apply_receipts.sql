-- Grain: one row per message that a receipt moved. Receipts may be repeated and come in any order: `delivered` always
-- counts, a failure only in the round that it is about. Messages are locked in the order of ids, as senders lock them.
-- A provider moves only messages that were last submitted to it.
-- Parameters: provider, keys, rounds, states, failures (arrays), at, wait (seconds).
-- Role: receive.
with receipts as materialized (
    select distinct on (t.key)
        t.key,
        t.round,
        t.state,
        t.failure
    from
        unnest(cast(:keys as uuid[]), cast(:rounds as smallint[]), cast(:states as text[]), cast(:failures as text[]))
            as t (key, round, state, failure)
    inner join reminders as m
        on
            t.key = m.idempotency_key
            and m.provider = :provider
            and (t.state = 'delivered' or t.round = m.round)
    order by t.key, array_position(array['delivered', 'permanent_failure', 'temporary_failure'], t.state), t.round desc
),

locked as materialized (
    select
        m.reminder_id,
        t.round,
        t.state,
        t.failure
    from receipts as t
    inner join reminders as m on t.key = m.idempotency_key
    order by m.reminder_id
    for update of m
)

update reminders as m
set
    state = t.state,
    failure = t.failure,
    settled_at = :at,
    -- After a failure at the provider, the next submission has another key.
    round = m.round + case t.state when 'temporary_failure' then 1 else 0 end,
    try_after = case t.state
        when 'temporary_failure' then m.submitted_at + make_interval(secs => :wait)
        else m.try_after
    end
from locked as t
where
    m.reminder_id = t.reminder_id
    and m.provider = :provider
    and case
        when t.state = 'delivered'
            then m.state in ('sending', 'accepted', 'unknown', 'temporary_failure', 'permanent_failure', 'expired')
        else t.round = m.round and m.state in ('sending', 'accepted', 'unknown')
    end
