-- Grain: one row per cohort with a roster, with its latest standing and decision, and the state from which its days and
-- regions would be counted now (`counted_from`) and were counted before. Until the decision, an intake may change that.
-- Parameters: cohorts and deadlines of the calendar, as known on a day.
with decided as (
    select
        cohort,
        max(deadline_on) as deadline_on,
        max(as_of) as as_of
    from decisions_that_count(:cohorts, :deadlines, 'infinity')
    where status = 'made'
    group by cohort
),

standing_at as (
    select distinct on (cohort)
        cohort,
        as_of,
        concat_ws(' ', as_of, purchased, held, excluded) as counts
    from standings
    order by cohort, as_of desc
),

revoked as (
    select
        d.cohort,
        count(*) as revoked,
        count(e.recipient_id) as reinstated
    from revocations as v
    inner join decisions as d on v.decision_id = d.decision_id
    left join reinstatements as e on v.recipient_id = e.recipient_id
    group by d.cohort
)

select
    r.cohort,
    d.deadline_on as decided_deadline_on,
    coalesce(s.as_of, d.as_of) as as_of,
    concat_ws(
        ' ', coalesce(d.deadline_on::text, s.counts), coalesce(b.generation, 0), coalesce(v.revoked, 0),
        coalesce(v.reinstated, 0)
    ) as counted_from,
    f.counted_from as counted_before,
    f.figures -> 'held_for' as held_for
from rosters as r
left join decided as d on r.cohort = d.cohort
left join standing_at as s on r.cohort = s.cohort
left join evidence_bases as b on r.cohort = b.cohort
left join revoked as v on r.cohort = v.cohort
left join cohort_figures as f on r.cohort = f.cohort
where r.status = 'accepted'
order by r.cohort
