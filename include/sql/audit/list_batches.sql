-- Grain: one row per batch, with the digest over its members as they are: of the subject, the decision and every card.
-- A member who is no recipient is counted, and has no card. `named_cohort` is null where the decision is not there.
with content as (
    select
        m.digest,
        count(*) as members,
        string_agg(r.card_number::text, chr(10) order by r.card_number) as cards
    from public.batch_members as m
    left join public.recipients as r on m.recipient_id = r.recipient_id
    group by m.digest
)

select
    b.digest,
    b.entry,
    b.subject,
    b.people,
    d.cohort,
    coalesce(c.members, 0) as members,
    encode(
        sha256(convert_to(b.subject || chr(10) || b.decision_id || chr(10) || coalesce(c.cards, ''), 'UTF8')), 'hex'
    ) as digest_of_members
from public.batches as b
left join content as c on b.digest = c.digest
left join public.decisions as d on b.decision_id = d.decision_id
order by b.attempt
