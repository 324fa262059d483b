-- Grain: one row, the decision of a cohort for its latest deadline, or none. Revocations and holds follow this
-- decision: an earlier one was not carried out before the deadline was extended, and everybody was decided again.
-- Queries about revoked people must use the cohort, since an earlier decision may have revoked single people.
-- Parameters: cohort.
select
    d.decision_id,
    d.as_of,
    d.announced_on,
    d.deadline_on,
    d.settlement_days,
    d.selected,
    d.purchased,
    d.held,
    d.overdue,
    d.excluded,
    coalesce(d.evidence_generation, 0) as evidence_generation,
    c.decision_id is not null as is_carried_out
from decisions as d
left join carried_out as c on d.decision_id = c.decision_id
where d.cohort = :cohort and d.status = 'made'
order by d.deadline_on desc
limit 1
