-- Grain: one row per batch of some digests: everything that its signatures are held against. `identities` are its
-- people, a card and a NIK each, in the order of the cards; `signed` has who, on which day, over whom, and the
-- signature; `corrected` has what NIKs were before each correction, the earliest first.
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
        select
            json_build_object(
                'by', a.approved_by, 'on', a.approved_on, 'signature', a.signature,
                'identities_sha256', a.identities_sha256
            )
        from approvals as a
        where a.digest = b.digest and a.signature is not null
        order by a.recorded_at, a.approved_by
    ) as signed,
    array(
        select
            json_build_object(
                'decision', c.decision_number, 'card', c.card_number, 'nik_before', c.nik_before, 'is_first', c.is_first
            )
        from batch_corrections(b.digest) as c
        order by c.decision_number, c.card_number
    ) as corrected
from batches as b
inner join decisions as d on b.decision_id = d.decision_id
inner join batch_approvals as p on b.digest = p.digest
where b.digest = any(:digests)
