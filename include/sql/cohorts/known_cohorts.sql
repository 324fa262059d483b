-- Grain: one row per cohort with a loaded roster, with its latest decision, if any.
-- Parameters: none.
select
    r.cohort,
    r.roster_id,
    r.sha256 as roster_sha256,
    r.rows as selected,
    r.arrived_on,
    r.announced_on,
    r.deadline_on,
    d.as_of as decided_as_of,
    d.deadline_on as decided_deadline_on,
    coalesce(d.is_carried_out, false) as is_carried_out
from rosters as r
left join
    lateral (
        select
            m.as_of,
            m.deadline_on,
            exists(select from carried_out as c where c.decision_id = m.decision_id) as is_carried_out
        from decisions as m
        where m.cohort = r.cohort and m.status = 'made'
        order by m.deadline_on desc
        limit 1
    ) as d
    on true
where r.status = 'accepted'
order by r.announced_on, r.cohort
