-- Grain: one row per batch, with the digests of its current members: of the subject, the decision and every card, with
-- the NIK of each member whose NIK was corrected. There is one digest for each decision on corrections of members, and
-- one without corrections: one of them is the digest at the time of the proposal.
-- A member who is not a recipient is counted, and has no card. `cohort` is null if the decision is missing.
-- Parameters: none.
with approved as materialized (
    select
        k.recipient_id,
        k.correction_id,
        d.decision_number,
        v.nik
    from public.corrections as k
    inner join public.correction_values as v on k.correction_id = v.correction_id
    inner join public.correction_decisions as d on k.request = d.request
    where d.is_approved and v.nik is not null
),

known as materialized (
    select
        b.digest,
        0::bigint as decision_number
    from public.batches as b
    union
    select
        m.digest,
        a.decision_number
    from approved as a
    inner join public.batch_members as m on a.recipient_id = m.recipient_id
),

corrected as (
    select distinct on (n.digest, n.decision_number, m.recipient_id)
        n.digest,
        n.decision_number,
        m.recipient_id,
        a.nik
    from approved as a
    inner join public.batch_members as m on a.recipient_id = m.recipient_id
    inner join known as n on m.digest = n.digest and a.decision_number <= n.decision_number
    order by n.digest, n.decision_number, m.recipient_id, a.correction_id desc
),

content as (
    select
        n.digest,
        n.decision_number,
        count(*) as members,
        string_agg(
            r.card_number || coalesce(' ' || c.nik, ''), chr(10)
            order by r.card_number
        ) as cards
    from known as n
    inner join public.batch_members as m on n.digest = m.digest
    left join public.recipients as r on m.recipient_id = r.recipient_id
    left join
        corrected as c
        on n.digest = c.digest and n.decision_number = c.decision_number and m.recipient_id = c.recipient_id
    group by n.digest, n.decision_number
)

select
    b.digest,
    b.entry,
    b.subject,
    b.people,
    d.cohort,
    coalesce((select max(c.members) from content as c where c.digest = b.digest), 0) as members,
    array(
        select
            encode(
                sha256(
                    convert_to(b.subject || chr(10) || b.decision_id || chr(10) || coalesce(c.cards, ''), 'UTF8')
                ), 'hex'
            )
        from content as c
        where c.digest = b.digest
    ) as digests_of_members
from public.batches as b
left join public.decisions as d on b.decision_id = d.decision_id
order by b.attempt
