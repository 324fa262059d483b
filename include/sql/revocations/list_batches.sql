-- Grain: one row per batch of a decision and subject, the latest first: who has approved it.
-- Parameters: decision_id, subject.
select
    b.digest,
    (select d.cohort from decisions as d where d.decision_id = b.decision_id) as cohort,
    b.subject,
    b.people,
    b.proposed_by,
    b.proposed_on,
    coalesce(
        array_agg(a.approved_by order by a.approved_by) filter (where a.approved_by is not null), '{}'
    ) as approved_by,
    coalesce(bool_or(a.is_recorded_in_advance), false) as is_approved_in_advance,
    not exists (
        select
        from batch_members as m
        left join revocations as v on b.subject <> 'reinstatement' and m.recipient_id = v.recipient_id
        left join reinstatements as e on b.subject = 'reinstatement' and m.recipient_id = e.recipient_id
        where m.digest = b.digest and v.recipient_id is null and e.recipient_id is null
    ) as is_carried_out
from batches as b
left join approvals as a on b.digest = a.digest
where b.decision_id = :decision_id and b.subject = :subject
group by b.digest
order by (select max(p.proposal_id) from proposals as p where p.digest = b.digest) desc
