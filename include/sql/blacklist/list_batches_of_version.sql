-- Grain: one row per batch whose people a version adds, and one without a batch where somebody is in none: everything
-- that a signature is held against. `cards` are the batch's members in order, `strays` those added who are no members.
-- Parameters: version.
with added as (
    select
        c.recipient_id,
        b.digest
    from blacklist_changes as c
    inner join revocations as v on c.recipient_id = v.recipient_id
    left join batches as b on v.digest = b.digest and v.decision_id = b.decision_id
    where c.version = :version and c.op = 'ADD'
)

select
    d.cohort,
    b.decision_id,
    b.digest,
    b.subject,
    array(
        select r.card_number
        from batch_members as m
        inner join recipients as r on m.recipient_id = r.recipient_id
        where m.digest = b.digest
        order by r.card_number
    ) as cards,
    (
        select count(*)
        from added as s
        where s.digest = a.digest and not exists (
            select from batch_members as m
            where m.digest = s.digest and m.recipient_id = s.recipient_id
        )
    ) as strays,
    array(
        select json_build_object('by', p.approved_by, 'at', p.recorded_at, 'signature', p.signature)
        from approvals as p
        where p.digest = b.digest and p.signature is not null
    ) as signed
from (select distinct digest from added) as a
left join batches as b on a.digest = b.digest
left join decisions as d on b.decision_id = d.decision_id
order by d.cohort, b.digest
