-- Grain: one row per cohort with a roster that had arrived by a day: what could be told of it at the end of that day.
-- Parameters: day.
with stood as (
    select distinct on (cohort)
        cohort,
        as_of,
        purchased,
        held,
        at_risk + overdue as not_bought
    from standings
    where as_of <= :day
    order by cohort, as_of desc
),

decided as (
    select distinct on (cohort)
        cohort,
        decision_id,
        as_of,
        deadline_on,
        purchased,
        held,
        overdue,
        excluded
    from decisions
    where status = 'made' and as_of <= :day
    order by cohort, deadline_on desc
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
)

select
    r.cohort,
    r.rows as selected,
    s.as_of as standing_as_of,
    coalesce(d.purchased, s.purchased, 0) as purchased,
    coalesce(d.held, s.held, 0) as held,
    coalesce(d.overdue, s.not_bought, 0) as not_bought,
    d.decision_id,
    d.as_of as decided_as_of,
    coalesce(v.revoked, 0) as revoked,
    coalesce(v.reinstated, 0) as reinstated
from rosters as r
left join stood as s on r.cohort = s.cohort
left join decided as d on r.cohort = d.cohort
left join revoked as v on r.cohort = v.cohort
where r.status = 'accepted' and r.arrived_on <= :day
order by r.announced_on, r.cohort
