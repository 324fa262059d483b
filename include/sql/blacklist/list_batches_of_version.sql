-- Grain: one row per batch whose people a version adds: how many must approve it, and the approvals, as JSON.
-- Parameters: version.
select
    d.cohort,
    b.digest,
    b.people,
    b.subject,
    n.approvals_needed,
    (
        select
            coalesce(json_agg(json_build_object(
                'approved_by', a.approved_by, 'recorded_at', a.recorded_at, 'signature', a.signature
            )), '[]')
        from approvals as a
        where a.digest = b.digest
    ) as approvals
from batches as b
inner join decisions as d on b.decision_id = d.decision_id
inner join batch_approvals as n on b.digest = n.digest
where
    b.digest in (
        select v.digest
        from blacklist_changes as c
        inner join revocations as v on c.recipient_id = v.recipient_id
        where c.version = :version and c.op = 'ADD'
    )
order by d.cohort, b.digest
