-- Grain: one row per batch: the people who have approved it, how many must, and the people who may not because they had
-- a part in it. If approvals are signed, an approval without a signature counts only in `approvals_recorded`.
create or replace view batch_approvals as
with described as (
    select
        b.digest,
        b.decision_id,
        b.subject,
        -- Counted from the members: the number in the batch itself is not trusted.
        case
            when (select count(*) from batch_members as m where m.digest = b.digest) <= r.one_approver_up_to
                then r.approvers
            else r.approvers_above
        end as approvals_needed,
        array(
            select distinct a.approved_by
            from approvals as a
            where a.digest = b.digest and (a.signature is not null or not r.must_be_signed)
            order by a.approved_by
        ) as approvers,
        array(
            select lower(b.proposed_by)
            union
            select lower(p.proposed_by)
            from proposals as p
            where p.digest = b.digest
            union
            select lower(h.resolved_by)
            from batch_members as m
            inner join hold_resolutions as h on m.recipient_id = h.recipient_id
            inner join decisions as e on b.decision_id = e.decision_id
            where
                m.digest = b.digest
                and b.subject = 'hold'
                and (h.deadline_on is null or h.deadline_on = e.deadline_on)
            union
            select lower(o.overridden_by)
            from decisions as d
            inner join overrides as o on o.decision_id = any(d.overrides)
            where d.decision_id = b.decision_id
        ) as had_a_part,
        exists(
            select from approvals as a
            where a.digest = b.digest and a.is_recorded_in_advance
        ) as is_approved_in_advance,
        r.must_be_signed
    from batches as b
    cross join approval_rule as r
)

select
    d.digest,
    d.decision_id,
    d.subject,
    d.approvals_needed,
    d.approvers,
    d.had_a_part,
    d.is_approved_in_advance,
    d.is_approved_in_advance and is_replaying() and not d.must_be_signed as stands_in_advance,
    (
        select count(distinct lower(a.approved_by))
        from approvals as a
        where
            a.digest = d.digest and not a.is_recorded_in_advance and lower(a.approved_by) <> all(d.had_a_part)
            and (a.signature is not null or not d.must_be_signed)
    ) as approvals_given,
    (
        select count(distinct lower(a.approved_by))
        from approvals as a
        where a.digest = d.digest and not a.is_recorded_in_advance and lower(a.approved_by) <> all(d.had_a_part)
    ) as approvals_recorded,
    exists(
        select from approvals as a
        where a.digest = d.digest and not a.is_recorded_in_advance and lower(a.approved_by) = any(d.had_a_part)
    ) as is_approved_by_one_of_them
from described as d;
