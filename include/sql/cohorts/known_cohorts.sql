-- Grain: one row per cohort with a loaded roster, with its carried decision if there is one.
select
    r.cohort,
    r.roster_id,
    r.sha256 as roster_sha256,
    r.rows as selected,
    r.arrived_on,
    r.announced_on,
    r.deadline_on,
    d.decision_id,
    d.as_of as decided_as_of
from rosters as r
left join decisions as d on r.cohort = d.cohort and d.status = 'made'
where r.status = 'accepted'
order by r.announced_on, r.cohort
