-- Grain: one finding per decided recipient, kind and deadline: what deliveries known by now show that the decision did
-- not see. A purchase counted for the decision, for sparing someone, or for reinstating someone.
-- May run twice: a finding is written once, with the day and the row that first showed it.
-- Of whom deliveries that came or went could touch since it was last looked for, and since the decision. Those whom an
-- earlier decision revoked are asked about from that one on: this one left them out.
-- Parameters: evidence_generation, cohort, deadline_on, as decided; as_of; the window by now:
-- announced_on, deadline_now, settlement_days.
-- Role: decide.
with touched as materialized (
    select b.recipient_id
    from evidence as b
    inner join evidence_bases as g on b.cohort = g.cohort
    where b.cohort = :cohort and b.touched_in > greatest(g.noticed, :evidence_generation)
    union
    select v.recipient_id
    from revocations as v
    inner join evidence as b on v.recipient_id = b.recipient_id
    inner join evidence_bases as g on b.cohort = g.cohort
    where b.cohort = :cohort and b.touched_in > g.noticed
),

asked as materialized (
    select
        o.recipient_id,
        o.outcome,
        v.recipient_id is not null as is_revoked,
        e.recipient_id is not null as is_reinstated,
        o.outcome = 'purchased' or s.delivery_id is not null or coalesce(e.because = 'purchase', false) as has_counted,
        -- Undone at any time: that is how the evidence is kept after a decision.
        b.purchase_line is not null as has_purchase,
        coalesce(s.delivery_id, case when o.outcome = 'purchased' then o.delivery_id end) as counted_delivery_id,
        coalesce(s.line, case when o.outcome = 'purchased' then o.line end) as counted_line
    from touched as t
    inner join outcomes as o on t.recipient_id = o.recipient_id
    inner join evidence as b on o.recipient_id = b.recipient_id
    left join revocations as v on o.recipient_id = v.recipient_id
    left join reinstatements as e on o.recipient_id = e.recipient_id
    left join late_findings as s
        on
            o.recipient_id = s.recipient_id
            and s.kind = case when e.because = 'purchase' then 'reinstatement_proposed' else 'spared' end
    where o.deadline_on = :deadline_on
),

now_standing as materialized (
    select *
    from
        standing_of(
            array(select a.recipient_id from asked as a where a.outcome <> 'purchased'),
            :announced_on, :deadline_now, :settlement_days, :as_of
        )
),

findings as (
    select
        a.recipient_id,
        case
            when a.has_counted and not a.has_purchase and w.recipient_id is null then 'purchase_gone'
            when a.is_revoked and n.outcome = 'purchased' then 'reinstatement_proposed'
            -- Whoever was held for such a row, and revoked by a person who looked into it, is no new case.
            when a.is_revoked and a.outcome <> 'held' and n.because = 'damaged_row' then 'damaged_row'
            when a.outcome = 'held' and n.outcome = 'purchased' then 'hold_resolvable'
        end as kind,
        case when a.has_counted and not a.has_purchase then a.counted_delivery_id else n.delivery_id end as delivery_id,
        case when a.has_counted and not a.has_purchase then a.counted_line else n.line end as line
    from asked as a
    left join now_standing as n on a.recipient_id = n.recipient_id
    left join withdrawals as w on a.recipient_id = w.recipient_id and w.withdrawn_on <= :as_of
)

insert into late_findings (recipient_id, kind, deadline_on, found_on, delivery_id, line)
select
    f.recipient_id,
    f.kind,
    :deadline_on,
    :as_of,
    f.delivery_id,
    f.line
from findings as f
where
    f.kind is not null
    -- A reinstatement is proposed of a person. A finding of before has no deadline.
    and not exists (
        select from late_findings as l
        where
            l.recipient_id = f.recipient_id
            and l.kind = f.kind
            and (l.deadline_on is null or l.kind in ('reinstatement_proposed', 'damaged_row'))
    )
on conflict (recipient_id, kind, deadline_on) do nothing
