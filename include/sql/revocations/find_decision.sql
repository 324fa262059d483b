-- Grain: one row, the carried decision of a cohort, or none: of the latest deadline, where it was extended. Whoever is
-- to be revoked or looked into goes by this one: an earlier one was not carried out, and everybody is decided anew.
-- Whoever was revoked is asked for by cohort, since an earlier decision may have revoked them.
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
