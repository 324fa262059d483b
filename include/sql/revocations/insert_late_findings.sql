-- Grain: one finding per decided recipient and kind: what deliveries known by now show that the decision did not see.
-- May run twice: a finding is written once, with the day and the row that first showed it.
-- Parameters: decision_id, cohort, announced_on, deadline_on, settlement_days, clock.
with now_standing as materialized (
    select *
    from
        standing(
            :cohort, :announced_on, :deadline_on, :settlement_days, 'infinity', :clock,
            wib_midnight(cast(:deadline_on as date) + 1)
        )
),

never_undone as materialized (
    select *
    from standing(:cohort, :announced_on, :deadline_on, :settlement_days, 'infinity', :clock, 'infinity')
),

findings as (
    select
        o.recipient_id,
        case
            when v.recipient_id is not null and n.outcome = 'purchased' then 'reinstatement_proposed'
            -- Whoever was held for such a row, and revoked by a person who looked into it, is no new case.
            when v.recipient_id is not null and o.outcome <> 'held' and n.because = 'damaged_row' then 'damaged_row'
            when o.outcome = 'held' and n.outcome = 'purchased' then 'hold_resolvable'
            when o.outcome = 'purchased' and u.because <> 'purchase' and u.because <> 'withdrawn' then 'purchase_gone'
        end as kind,
        case when o.outcome = 'purchased' then o.delivery_id else n.delivery_id end as delivery_id,
        case when o.outcome = 'purchased' then o.line else n.line end as line
    from outcomes as o
    inner join now_standing as n on o.recipient_id = n.recipient_id
    inner join never_undone as u on o.recipient_id = u.recipient_id
    left join revocations as v on o.recipient_id = v.recipient_id
    where o.decision_id = :decision_id
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
