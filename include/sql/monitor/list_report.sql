-- Grain: one row per cohort whose roster had arrived by a day, with what was known of it at the end of that day.
-- Parameters: day; cohorts and deadlines of the calendar, as known on that day.
with stood as (
    select distinct on (cohort)
        cohort,
        as_of,
        purchased,
        held,
        excluded,
        at_risk + overdue as not_bought
    from standings
    where as_of <= :day
    order by cohort, as_of desc
),

decided as (
    select distinct on (d.cohort)
        d.cohort,
        d.decision_id,
        d.as_of,
        d.deadline_on,
        d.purchased,
        d.held,
        d.overdue,
        d.excluded,
        c.decision_id is not null as is_carried_out
    from decisions_that_count(:cohorts, :deadlines, :day) as d
    left join carried_out as c on d.decision_id = c.decision_id and c.carried_out_on <= :day
    where d.status = 'made'
    order by d.cohort, d.deadline_on desc
),

revoked as (
    select
        d.cohort,
        count(*) as revoked,
        count(*) filter (where e.reinstated_on <= :day) as reinstated
    from revocations as v
    inner join decisions as d on v.decision_id = d.decision_id
    left join reinstatements as e on v.recipient_id = e.recipient_id
    where v.revoked_on <= :day
    group by d.cohort
),

answered as (
    select
        d.cohort,
        count(*) as answered
    from decided as d
    inner join outcomes as o on d.cohort = o.cohort and d.deadline_on = o.deadline_on and o.outcome = 'held'
    where
        exists (
            select from hold_resolutions as h
            where
                h.recipient_id = o.recipient_id
                and (h.is_purchased or h.deadline_on = o.deadline_on)
                and h.resolved_on <= :day
        )
    group by d.cohort
)

select
    r.cohort,
    r.rows as selected,
    s.as_of as standing_as_of,
    coalesce(d.purchased, s.purchased) as purchased,
    coalesce(d.held, s.held) as held,
    coalesce(d.overdue, s.not_bought) as not_bought,
    coalesce(d.excluded, s.excluded) as excluded,
    greatest(coalesce(d.held, s.held) - coalesce(a.answered, 0), 0) as still_held,
    d.decision_id,
    d.as_of as decided_as_of,
    d.deadline_on as decided_deadline_on,
    coalesce(d.is_carried_out or d.overdue = 0, false) as is_carried_out,
    coalesce(v.revoked, 0) as revoked,
    coalesce(v.reinstated, 0) as reinstated
from rosters as r
left join stood as s on r.cohort = s.cohort
left join decided as d on r.cohort = d.cohort
left join revoked as v on r.cohort = v.cohort
left join answered as a on r.cohort = a.cohort
where r.status = 'accepted' and r.arrived_on <= :day
order by r.announced_on, r.cohort
