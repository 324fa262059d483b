-- Grain: one row per batch whose people are to be added, and one without a batch where somebody is in none: everything
-- that a signature is held against. `cards` are the batch's members in order, `strays` those added who are no members;
-- `corrected` are the members' NIKs in the order in which they came into force.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
with added as materialized (
    select
        p.recipient_id,
        p.digest
    from pending_changes(:revoked_by, :reinstated_by) as p
    where p.op = 'ADD' and not p.is_replacement
)

select
    d.cohort,
    b.decision_id,
    a.digest,
    b.subject,
    array(
        select r.card_number
        from batch_members as m
        inner join recipients as r on m.recipient_id = r.recipient_id
        where m.digest = a.digest
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
        select json_build_object('card', r.card_number, 'nik', v.nik)
        from batch_members as m
        inner join recipients as r on m.recipient_id = r.recipient_id
        inner join correction_values as v on m.recipient_id = v.recipient_id
        inner join corrections as c on v.correction_id = c.correction_id
        inner join correction_decisions as e on c.request = e.request
        where m.digest = a.digest and e.is_approved
        order by e.decision_number
    ) as corrected,
    array(
        select json_build_object('by', p.approved_by, 'at', p.recorded_at, 'signature', p.signature)
        from approvals as p
        where p.digest = a.digest and p.signature is not null
    ) as signed
from (select distinct digest from added) as a
left join batches as b on a.digest = b.digest
left join decisions as d on b.decision_id = d.decision_id
order by d.cohort, a.digest
