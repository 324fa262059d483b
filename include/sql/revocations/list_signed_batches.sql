-- Grain: one row per batch of some digests: everything that its signatures are held against. `identities` are its
-- people, a card and a NIK each, in the order of the cards; `signed` has who, on which day, and the signature.
-- Parameters: digests.
select
    b.digest,
    b.decision_id,
    d.cohort,
    b.subject,
    b.proposed_on,
    p.had_a_part,
    batch_identities(b.digest) as identities,
    array(
        select json_build_object('by', a.approved_by, 'on', a.approved_on, 'signature', a.signature)
        from approvals as a
        where a.digest = b.digest and a.signature is not null
        order by a.recorded_at, a.approved_by
    ) as signed
from batches as b
inner join decisions as d on b.decision_id = d.decision_id
inner join batch_approvals as p on b.digest = p.digest
where b.digest = any(:digests)
