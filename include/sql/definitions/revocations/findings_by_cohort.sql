-- Return the number of late findings of each decided cohort. This runs with the owner's rights, so that roles that only
-- need counts (the service is reachable from outside) need no access to the recipients.
create or replace function findings_by_cohort()
returns table (
    cohort integer, reinstatements_proposed bigint, cases bigint, holds_resolvable bigint, late_purchases bigint
)
language sql stable security definer
set search_path = public, pg_temp
begin atomic
    with latest as (
        select distinct on (d.cohort)
            d.cohort,
            p.proposal_id,
            p.digest
        from proposals as p
        inner join batches as b on p.digest = b.digest and b.subject = 'reinstatement'
        inner join decisions as d on b.decision_id = d.decision_id
        order by d.cohort, p.proposal_id desc
    ),

    -- People who were proposed earlier, and whose evidence was withdrawn since, are no longer proposed.
    dropped as (
        select m.recipient_id
        from batches as b
        inner join batch_members as m on b.digest = m.digest
        where b.subject = 'reinstatement'
        except
        select m.recipient_id
        from latest as l
        inner join batch_members as m on l.digest = m.digest
        where not exists (select from proposal_lapses as o where o.proposal_id = l.proposal_id)
    )

    select
        p.cohort,
        count(distinct f.recipient_id) filter (
            where finding_effect(f.kind) = 'reinstatement'
            and not exists (select from reinstatements as e where e.recipient_id = f.recipient_id)
            and not exists (select from dropped as d where d.recipient_id = f.recipient_id)
        ) as reinstatements_proposed,
        count(*) filter (where finding_effect(f.kind) = 'case') as cases,
        count(*) filter (
            where finding_effect(f.kind) = 'hold'
            -- not of a deadline that was extended since: the decision for the new one has seen these deliveries
            and not exists (
                select from outcomes as o
                where o.recipient_id = f.recipient_id and o.deadline_on > f.deadline_on
            )
        ) as holds_resolvable,
        count(*) filter (where finding_effect(f.kind) = 'payment') as late_purchases
    from late_findings as f
    inner join recipients as p on f.recipient_id = p.recipient_id
    group by p.cohort;
end;
