-- Grain: one finding per decided recipient, kind and deadline: what the deliveries known at `as_of` show and the
-- decision did not see. A purchase has counted if the decision, a sparing or a reinstatement rests on it.
-- May run twice: a finding is written once, with the day and the row that first showed it.
-- Only recipients are examined whose evidence was touched since findings were last recorded, and since the decision.
-- People whom an earlier decision revoked are examined since that one: this decision left them out.
-- Parameters: evidence_generation, cohort, deadline_on: as decided; as_of; announced_on, deadline_now, settlement_days:
-- the window as known now.
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
        -- After a decision, the evidence counts cancellations at any time.
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
            -- A recipient who was held for such a row, and revoked after a resolution, is not a new case.
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
    -- A reinstatement is proposed once per person. Findings of earlier versions have no deadline.
    and not exists (
        select from late_findings as l
        where
            l.recipient_id = f.recipient_id
            and l.kind = f.kind
            and (l.deadline_on is null or l.kind in ('reinstatement_proposed', 'damaged_row'))
    )
on conflict (recipient_id, kind, deadline_on) do nothing
