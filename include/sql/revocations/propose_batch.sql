-- Grain: one row, the batch that stands to be approved by what is known at `clock`, or none where nobody is concerned.
-- May run twice: the same people of the same decision are the same batch, proposed once.
-- Whoever the deliveries known by now speak for is in no batch of revocations, though the decision saw no purchase: it
-- was made before they arrived. Once a decision was carried out, nobody is. A proof that was taken back reinstates
-- nobody. A hold is decided person by person.
-- Parameters: decision_id, subject, cohort, announced_on, deadline_on, settlement_days, clock, proposed_by;
-- recipient_id, of the one held person that a batch is about, else null.
with now_standing as materialized (
    select
        recipient_id,
        outcome
    from
        standing(
            :cohort, :announced_on, :deadline_on, :settlement_days, 'infinity', :clock,
            wib_midnight(cast(:deadline_on as date) + 1)
        )
),

people as materialized (
    select o.recipient_id
    from outcomes as o
    inner join now_standing as s on o.recipient_id = s.recipient_id
    where
        :subject = 'revocation'
        and o.decision_id = :decision_id
        and o.outcome = 'overdue'
        and s.outcome = 'overdue'
        and not exists (select from carried_out as c where c.decision_id = :decision_id)
    union all
    select f.recipient_id
    from late_findings as f
    inner join revocations as v on f.recipient_id = v.recipient_id
    inner join now_standing as s on f.recipient_id = s.recipient_id
    where
        :subject = 'reinstatement'
        and v.decision_id = :decision_id
        and f.kind = 'reinstatement_proposed'
        and f.found_on <= :clock
        and s.outcome = 'purchased'
        and not exists (select from reinstatements as e where e.recipient_id = f.recipient_id)
    union all
    select h.recipient_id
    from hold_resolutions as h
    inner join outcomes as o on h.recipient_id = o.recipient_id
    inner join now_standing as s on h.recipient_id = s.recipient_id
    where
        :subject = 'hold'
        and o.decision_id = :decision_id
        and h.recipient_id = :recipient_id
        and not h.is_purchased
        and s.outcome not in ('purchased', 'excluded')
        and not exists (select from revocations as v where v.recipient_id = h.recipient_id)
),

content as materialized (
    select
        count(*) as people,
        encode(
            sha256(
                convert_to(
                    :subject || chr(10) || :decision_id || chr(10)
                    || string_agg(r.card_number::text, chr(10) order by r.card_number),
                    'UTF8'
                )
            ),
            'hex'
        ) as digest
    from people as p
    inner join recipients as r on p.recipient_id = r.recipient_id
    having count(*) > 0
),

batch as (
    insert into batches (digest, decision_id, subject, people, proposed_by, proposed_on)
    select
        digest,
        :decision_id,
        :subject,
        people,
        :proposed_by,
        :clock
    from content
    on conflict (digest) do nothing
),

members as (
    insert into batch_members (digest, recipient_id)
    select
        c.digest,
        p.recipient_id
    from content as c
    cross join people as p
    on conflict (digest, recipient_id) do nothing
)

select
    digest,
    people
from content
