-- Grain: one row, the batch to be approved by what is known at `as_of`, or none if it would be empty.
-- May run twice: the same people of the same decision are the same batch, which is proposed once.
-- A batch of revocations leaves out overdue recipients whom later deliveries clear, although the decision saw no
-- purchase. It is empty once the decision was carried out. A purchase that was withdrawn reinstates nobody. A hold is
-- proposed per person. The evidence must be refreshed before: recipients whom it did not touch keep the outcome of the
-- decision.
-- Parameters: decision_id, evidence_generation, cohort, deadline_on: as decided; subject, as_of, proposed_by;
-- announced_on, deadline_now, settlement_days: the window as known now; recipient_id: the person of a hold, else null.
-- Role: decide.
with candidates as materialized (
    select
        o.recipient_id,
        array['overdue'] as if_standing,
        null as doubt
    from outcomes as o
    where
        :subject = 'revocation'
        and o.cohort = :cohort
        and o.deadline_on = :deadline_on
        and o.outcome = 'overdue'
        and not exists (select from carried_out as c where c.decision_id = :decision_id)
        and not exists (select from hold_resolutions as h where h.recipient_id = o.recipient_id and h.is_purchased)
    union all
    select
        v.recipient_id,
        case when bool_or(f.kind = 'deadline_extended') then array['overdue', 'held'] else '{}' end
        || array['purchased'],
        null
    from late_findings as f
    inner join revocations as v on f.recipient_id = v.recipient_id
    -- By any decision: one that was replaced before it was carried out may have revoked single people.
    inner join decisions as d on v.decision_id = d.decision_id
    where
        :subject = 'reinstatement'
        and d.cohort = :cohort
        and finding_effect(f.kind) = 'reinstatement'
        and f.found_on <= :as_of
        and not exists (select from reinstatements as e where e.recipient_id = f.recipient_id)
    group by v.recipient_id
    union all
    select
        h.recipient_id,
        array['overdue', 'held'],
        row(o.because, o.delivery_id, o.line)::text
    from hold_resolutions as h
    inner join outcomes as o on h.recipient_id = o.recipient_id and h.deadline_on = o.deadline_on
    where
        :subject = 'hold'
        and h.deadline_on = :deadline_on
        and h.recipient_id = :recipient_id
        and not h.is_purchased
        and not exists (select from revocations as v where v.recipient_id = h.recipient_id)
        and not exists (select from suspended_at(:as_of, :as_of) as s where s.recipient_id = h.recipient_id)
),

now_standing as materialized (
    select
        recipient_id,
        outcome,
        row(because, delivery_id, line)::text as doubt
    from
        standing_of(
            array(
                select c.recipient_id
                from candidates as c
                inner join evidence as e on c.recipient_id = e.recipient_id
                where
                    :subject <> 'revocation'
                    or e.touched_in > :evidence_generation
                    or c.recipient_id in (select s.recipient_id from suspensions as s)
                    or c.recipient_id in (select w.recipient_id from withdrawals as w)
            ),
            :announced_on, :deadline_now, :settlement_days, :as_of
        )
),

people as materialized (
    select c.recipient_id
    from candidates as c
    left join now_standing as s on c.recipient_id = s.recipient_id
    where
        coalesce(s.outcome::text, 'overdue') = any(c.if_standing)
        -- A resolution is about one doubt. Another doubt holds the person again.
        and (c.doubt is null or s.outcome <> 'held' or s.doubt = c.doubt)
),

content as materialized (
    select
        count(*) as people,
        encode(
            sha256(
                convert_to(
                    :subject || chr(10) || :decision_id || chr(10)
                    -- with the NIK if it was corrected: the other NIKs are those of the decision's roster
                    || string_agg(
                        r.card_number || coalesce(' ' || n.nik, ''), chr(10)
                        order by r.card_number
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) as digest
    from people as p
    inner join recipients as r on p.recipient_id = r.recipient_id
    left join niks_in_force as n on p.recipient_id = n.recipient_id
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
        :as_of
    from content
    on conflict (digest) do nothing
    returning digest
),

members as (
    insert into batch_members (digest, recipient_id)
    select
        b.digest,
        p.recipient_id
    from batch as b
    cross join people as p
),

-- The latest proposal is valid unless it has lapsed. A batch that returns after another one is proposed again.
-- Reinstatements belong to the cohort, whichever decision was the latest when they were proposed.
latest as (
    select
        p.proposal_id,
        p.digest,
        l.proposal_id is not null as has_lapsed
    from proposals as p
    inner join batches as b on p.digest = b.digest
    inner join decisions as d on b.decision_id = d.decision_id
    left join proposal_lapses as l on p.proposal_id = l.proposal_id
    where
        d.cohort = :cohort
        and b.subject = :subject
        and (b.decision_id = :decision_id or :subject = 'reinstatement')
        and (
            :subject <> 'hold'
            or exists (
                select from batch_members as m
                where m.digest = b.digest and m.recipient_id = :recipient_id
            )
        )
    order by p.proposal_id desc
    limit 1
),

lapse as (
    insert into proposal_lapses (proposal_id, lapsed_on)
    select
        l.proposal_id,
        :as_of
    from latest as l
    where not l.has_lapsed and not exists (select from content)
),

proposal as (
    insert into proposals (digest, proposed_by, proposed_on)
    select
        c.digest,
        :proposed_by,
        :as_of
    from content as c
    where c.digest not in (select l.digest from latest as l where not l.has_lapsed)
)

select
    digest,
    people
from content
