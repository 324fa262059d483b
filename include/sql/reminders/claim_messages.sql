-- Grain: one row per message that was due: it is now `sending`, before it is submitted, or it is not sent and says why.
-- Purchase, suspension and opt-out are read from the ledger in this statement, right before the submission.
-- A message whose fate is unknown goes to the provider that may have it, under the same key and with the same words.
-- Parameters: cohort, remind_on, channel, provider, after, batch, at, as_of, announced_on, deadline_on,
-- settlement_days, audience, opens, closes, attempts_max, per_number_max, repeatable_since (the gateways that recognize
-- a repeated key, each with the instant since which it is the same provider).
-- Role: remind.
with due as materialized (
    select *
    from
        due_messages(
            :cohort, :remind_on, :channel, :after, :batch, :at, :deadline_on, :opens, :closes, :attempts_max,
            cast(:repeatable_since as jsonb)
        )
),

judged as materialized (
    select
        d.*,
        case
            when s.because in ('withdrawn', 'suspended') then s.because
            when
                d.recipient_id in (select x.recipient_id from suspended_at(:deadline_on, :as_of) as x)
                then 'suspended'
            when s.outcome = 'purchased' and :audience <> 'all' then 'purchased'
            when opted_out(d.recipient_id, :channel) then 'opted_out'
            when
                (
                    -- The limit is of an address, and counts people: an address is a phone or a mailbox, whichever
                    -- channels reach it, and a recipient who is tried there on a second channel is still one.
                    select count(distinct n.recipient_id)
                    from reminders as n
                    where
                        n.address = d.address and n.remind_on = :remind_on and n.reminder_id < d.reminder_id
                        and n.recipient_id <> d.recipient_id
                        and (n.submitted_at is not null or n.state = 'queued')
                ) >= :per_number_max
                then 'number_limit'
        end as refused,
        case s.outcome when 'overdue' then 'not_purchased' else s.outcome::text end as fresh_template
    from due as d
    inner join
        standing_of(
            array(select due.recipient_id from due), :announced_on, :deadline_on, :settlement_days, :as_of
        ) as s
        on d.recipient_id = s.recipient_id
),

claimed as (
    update reminders as m
    set
        state = case
            when j.refused is null then 'sending'
            when j.state = 'unknown' then 'permanent_failure'
            when j.refused = 'number_limit' then 'permanent_failure'
            else 'suppressed'
        end,
        failure = case when j.refused is not null and j.state = 'unknown' then 'fate_unknown' else j.refused end,
        settled_at = case when j.refused is not null then cast(:at as timestamptz) end,
        submitted_at = case when j.refused is null then cast(:at as timestamptz) else m.submitted_at end,
        attempts = m.attempts + case when j.refused is null then 1 else 0 end,
        -- A message that a provider may have keeps its words. Other words or another address make another submission,
        -- with another key.
        template = case when j.state = 'unknown' or j.refused is not null then m.template else j.fresh_template end,
        round = m.round + case
            when
                j.refused is null and j.state = 'temporary_failure'
                and (m.template <> j.fresh_template or m.address is distinct from j.address)
                then 1
            else 0
        end,
        address = case when j.refused is null then j.address else m.address end,
        provider = case
            when j.refused is not null then m.provider
            when j.state = 'unknown' then coalesce(m.provider, :provider)
            else :provider
        end
    from judged as j
    where m.reminder_id = j.reminder_id
    returning
        m.reminder_id,
        m.state,
        j.state = 'unknown' as was_unknown,
        m.attempts,
        m.round,
        m.address,
        j.card_number,
        j.contact,
        m.template,
        m.lacks,
        m.provider,
        m.idempotency_key,
        m.unsubscribe_key
)

select *
from claimed
order by reminder_id
