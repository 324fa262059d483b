-- Grain: one row per approval that was signed, in the order in which they were recorded.
-- Parameters: none.
select
    d.cohort,
    b.digest,
    b.people,
    b.subject,
    a.approved_by,
    a.approved_on,
    a.identities_sha256,
    a.signature
from approvals as a
inner join batches as b on a.digest = b.digest
inner join decisions as d on b.decision_id = d.decision_id
where a.signature is not null
order by a.recorded_at, a.approved_by
