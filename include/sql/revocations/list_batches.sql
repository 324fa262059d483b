-- Grain: one row per batch of a decision and subject, the latest first: who has approved it.
-- Parameters: decision_id, subject.
select
    b.digest,
    b.people,
    b.proposed_by,
    b.proposed_on,
    coalesce(
        array_agg(a.approved_by order by a.approved_by) filter (where a.approved_by is not null), '{}'
    ) as approved_by,
    coalesce(bool_or(a.is_recorded_in_advance), false) as is_approved_in_advance
from batches as b
left join approvals as a on b.digest = a.digest
where b.decision_id = :decision_id and b.subject = :subject
group by b.digest
order by b.attempt desc
