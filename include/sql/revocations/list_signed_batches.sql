-- Grain: one row per batch with one of the digests: everything that its signatures are verified against. `identities`
-- has a card and a NIK per person, in the order of the cards. `signed` has the signer, the day, the SHA-256 of the
-- identities and the signature of each signed approval. `corrected` has the NIK before each correction, the earliest
-- first.
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
