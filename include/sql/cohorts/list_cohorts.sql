-- Grain: one row per cohort with a roster or a decision attempt: latest standing, decision, and counts.
-- Parameters: cohorts, deadlines (of the calendar, current or as known on a day).
with latest_standing as (
    select distinct on (cohort) *
    from standings
    order by cohort, as_of desc
),

latest_attempt as (
    select distinct on (d.cohort) d.*
    from decisions_that_count(:cohorts, :deadlines, 'infinity') as d
    order by d.cohort, (d.status = 'made') desc, d.deadline_on desc, d.attempt desc
),

revoked as (
    -- By cohort: recipients revoked by a decision that no longer counts stay revoked.
    select
        d.cohort,
        count(*) as revoked
    from revocations as r
    inner join decisions as d on r.decision_id = d.decision_id
    group by d.cohort
),

findings as (
    select * from findings_by_cohort()
),

reinstated as (
    select
        d.cohort,
        count(*) as reinstated
    from reinstatements as e
    inner join revocations as r on e.recipient_id = r.recipient_id
    inner join decisions as d on r.decision_id = d.decision_id
    group by d.cohort
),

reminded as (
    select
        cohort,
        count(distinct recipient_id) as reminded
    from reminders
    where state in ('accepted', 'delivered')
    group by cohort
),

done as (
    select decision_id
    from carried_out
)

select
    coalesce(ros.cohort, d.cohort) as cohort,
    s.as_of as standing_as_of,
    d.status as decision_status,
    d.reason,
    d.detail,
    d.as_of as decided_as_of,
    d.missing_feeds,
    a.decision_id is not null as is_carried_out,
    ros.rows as selected,
    case when d.status = 'made' then d.purchased else coalesce(s.purchased, d.purchased) end as purchased,
    case when d.status = 'made' then d.held else coalesce(s.held, d.held) end as held,
    case when d.status = 'made' then 0 else coalesce(s.at_risk, 0) end as at_risk,
    case when d.status = 'made' then d.overdue else coalesce(s.overdue, d.overdue) end as overdue,
    case when d.status = 'made' then d.excluded else coalesce(s.excluded, d.excluded) end as excluded,
    coalesce(v.revoked, 0) as revoked,
    coalesce(e.reinstated, 0) as reinstated,
    coalesce(f.reinstatements_proposed, 0) as reinstatements_proposed,
    coalesce(f.cases, 0) as cases,
    coalesce(f.holds_resolvable, 0) as holds_resolvable,
    coalesce(f.late_purchases, 0) as late_purchases,
    coalesce(m.reminded, 0) as reminded
from (select * from rosters where status = 'accepted') as ros
full join latest_attempt as d on ros.cohort = d.cohort
left join latest_standing as s on ros.cohort = s.cohort
left join revoked as v on coalesce(ros.cohort, d.cohort) = v.cohort
left join findings as f on ros.cohort = f.cohort
left join reinstated as e on coalesce(ros.cohort, d.cohort) = e.cohort
left join reminded as m on ros.cohort = m.cohort
left join done as a on d.decision_id = a.decision_id
order by 1
