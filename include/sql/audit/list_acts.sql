-- Grain: one row per entry, batch and act (`revoked` or `reinstated`): the number of people, and of those who are not
-- members of that batch of their decision (`strays`). The digest is null if the people have no batch. Reinstatements by
-- an appeal need no batch, and are left out if the appeal was upheld by somebody who had not approved the revocation.
-- Plus one row per entry that has a decision (`decided`).
-- Parameters: none.
with acts as (
    select
        'revoked' as what,
        v.entry,
        v.digest,
        v.recipient_id,
        v.decision_id,
        false as is_upheld
    from public.revocations as v
    union all
    select
        'reinstated',
        e.entry,
        e.digest,
        e.recipient_id,
        null,
        e.digest is null and exists (
            select
            from public.appeals as p
            inner join public.appeal_decisions as q on p.appeal_id = q.appeal_id
            inner join public.revocations as v on p.recipient_id = v.recipient_id
            where
                p.recipient_id = e.recipient_id
                and q.is_upheld
                and not coalesce(lower(q.decided_by) = any(v.approvers), false)
        )
    from public.reinstatements as e
)

select
    a.what,
    a.entry,
    a.digest,
    count(*) as people,
    count(*) filter (where m.recipient_id is null) as strays
from acts as a
left join public.batches as b
    on
        a.digest = b.digest
        and (a.what = 'reinstated') = (b.subject = 'reinstatement')
        and (a.decision_id is null or a.decision_id = b.decision_id)
left join public.batch_members as m on b.digest = m.digest and a.recipient_id = m.recipient_id
where not a.is_upheld
group by a.what, a.entry, a.digest
union all
select
    'decided',
    d.entry,
    null,
    0,
    0
from public.decisions as d
where d.status = 'made'
