-- Grain: one finding per decided recipient and kind: what deliveries known by now show that the decision did not see.
-- May run twice: a finding is written once, with the day and the row that first showed it.
-- Of whom deliveries that came or went could touch since it was last looked for, and since the decision.
-- Parameters: evidence_generation, cohort, deadline_on, as decided; clock; the window by now:
-- announced_on, deadline_now, settlement_days.
-- Duty: decide.
with asked as materialized (
    select
        o.recipient_id,
        o.outcome,
        o.delivery_id,
        o.line,
        v.recipient_id is not null as is_revoked
    from outcomes as o
    left join revocations as v on o.recipient_id = v.recipient_id
    inner join evidence as e on o.recipient_id = e.recipient_id
    inner join evidence_bases as b on e.cohort = b.cohort
    where
        e.cohort = :cohort
        and o.deadline_on = :deadline_on
        and e.touched_in > greatest(b.noticed, :evidence_generation)
),

now_standing as materialized (
    select *
    from
        standing_of(
            array(select a.recipient_id from asked as a where a.outcome <> 'purchased'),
            :announced_on, :deadline_now, :settlement_days, :clock
        )
),

-- Undone at any time: that is how the evidence is kept after a decision.
never_undone as materialized (
    select s.*
    from standing(:cohort, :deadline_now, :clock) as s
    inner join asked as a on s.recipient_id = a.recipient_id
    where a.outcome = 'purchased'
),

findings as (
    select
        a.recipient_id,
        case
            when a.is_revoked and n.outcome = 'purchased' then 'reinstatement_proposed'
            -- Whoever was held for such a row, and revoked by a person who looked into it, is no new case.
            when a.is_revoked and a.outcome <> 'held' and n.because = 'damaged_row' then 'damaged_row'
            when a.outcome = 'held' and n.outcome = 'purchased' then 'hold_resolvable'
            when a.outcome = 'purchased' and u.because <> 'purchase' and u.because <> 'withdrawn' then 'purchase_gone'
        end as kind,
        case when a.outcome = 'purchased' then a.delivery_id else n.delivery_id end as delivery_id,
        case when a.outcome = 'purchased' then a.line else n.line end as line
    from asked as a
    left join now_standing as n on a.recipient_id = n.recipient_id
    left join never_undone as u on a.recipient_id = u.recipient_id
)

insert into late_findings (recipient_id, kind, found_on, delivery_id, line)
select
    recipient_id,
    kind,
    :clock,
    delivery_id,
    line
from findings
where kind is not null
on conflict (recipient_id, kind) do nothing
