-- Grain: one row per batch of a decision and subject, the latest first: who has approved it, and how many approvals are
-- missing. Reinstatements belong to the cohort: a proposal stays valid when the cohort is decided again.
-- Parameters: decision_id, subject.
select
    b.digest,
    (select d.cohort from decisions as d where d.decision_id = b.decision_id) as cohort,
    b.subject,
    b.people,
    b.proposed_by,
    b.proposed_on,
    a.approvers as approved_by,
    a.had_a_part,
    case
        when a.stands_in_advance then 0
        else greatest(a.approvals_needed - a.approvals_given, 0)
    end as approvals_needed,
    not exists (
        select
        from batch_members as m
        left join revocations as v on b.subject <> 'reinstatement' and m.recipient_id = v.recipient_id
        left join reinstatements as e on b.subject = 'reinstatement' and m.recipient_id = e.recipient_id
        where m.digest = b.digest and v.recipient_id is null and e.recipient_id is null
    ) as is_carried_out,
    (
        select l.proposal_id is not null
        from proposals as p
        left join proposal_lapses as l on p.proposal_id = l.proposal_id
        where p.digest = b.digest
        order by p.proposal_id desc
        limit 1
    ) as has_lapsed
from batches as b
inner join batch_approvals as a on b.digest = a.digest
where
    b.subject = :subject
    and (
        b.decision_id = :decision_id
        or (
            b.subject = 'reinstatement'
            and b.decision_id in (
                select n.decision_id
                from decisions as d
                inner join decisions as n on d.cohort = n.cohort
                where d.decision_id = :decision_id
            )
        )
    )
order by (select max(p.proposal_id) from proposals as p where p.digest = b.digest) desc
