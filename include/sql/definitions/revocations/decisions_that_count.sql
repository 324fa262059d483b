-- Return the attempts to decide that count at the end of a day ('infinity': now), by the deadlines known then. A
-- decision does not count if its deadline was extended before it was carried out: the cohort is open again.
create or replace function decisions_that_count(cohorts integer[], deadlines date[], as_of date)
returns setof decisions
language sql stable
as $$
    select d.*
    from decisions as d
    left join carried_out as c on d.decision_id = c.decision_id and c.carried_out_on <= decisions_that_count.as_of
    left join unnest(cohorts, deadlines) as k (cohort, deadline_on) on d.cohort = k.cohort
    where
        d.as_of <= decisions_that_count.as_of
        and (k.deadline_on is null or d.deadline_on >= k.deadline_on or c.decision_id is not null);
$$;
