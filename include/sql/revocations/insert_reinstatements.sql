-- Grain: one reinstatement per revoked recipient whose proposal was approved on its day or later, and still holds.
-- May run twice: a recipient is reinstated once.
-- Parameters: decision_id, clock; cohort, announced_on, deadline_on, settlement_days as decided.
insert into reinstatements (recipient_id, approved_by, reinstated_on)
select
    f.recipient_id,
    (
        select string_agg(distinct a.approved_by, ', ')
        from approvals as a
        where
            a.decision_id = :decision_id
            and a.subject = 'reinstatement'
            and a.approved_on between f.found_on and :clock
    ),
    :clock
from late_findings as f
inner join revocations as r on f.recipient_id = r.recipient_id
inner join
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, 'infinity', :clock,
        wib_midnight(cast(:deadline_on as date) + 1)
    ) as s
    on f.recipient_id = s.recipient_id
where
    f.kind = 'reinstatement_proposed'
    and f.found_on <= :clock
    and r.decision_id = :decision_id
    and s.outcome = 'purchased'
    and exists (
        select
        from approvals as a
        where
            a.decision_id = :decision_id
            and a.subject = 'reinstatement'
            and a.approved_on between f.found_on and :clock
    )
on conflict (recipient_id) do nothing
