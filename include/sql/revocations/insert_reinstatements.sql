-- Grain: one reinstatement per revoked recipient whose proposal is approved.
-- May run twice: a recipient is reinstated once.
-- Parameters: decision_id, approved_by, clock.
insert into reinstatements (recipient_id, approved_by, reinstated_on)
select
    f.recipient_id,
    :approved_by,
    :clock
from late_findings as f
inner join revocations as r on f.recipient_id = r.recipient_id
where
    f.kind = 'reinstatement_proposed'
    and f.found_on <= :clock
    and r.decision_id = :decision_id
    and exists (select from approvals as a where a.decision_id = :decision_id and a.subject = 'reinstatement')
on conflict (recipient_id) do nothing
