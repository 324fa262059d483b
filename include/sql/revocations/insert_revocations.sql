-- Grain: one revocation per overdue recipient of an approved decision.
-- May run twice: a recipient is revoked once. Whoever the deliveries known by now speak for is spared, though the
-- decision saw no purchase: it was made before they arrived.
-- Parameters: decision_id, cohort, announced_on, deadline_on, settlement_days, effective_at, clock, approved_by.
insert into revocations (recipient_id, decision_id, reason, effective_at, approved_by, revoked_on)
select
    o.recipient_id,
    o.decision_id,
    'NO_FIRST_PURCHASE',
    :effective_at,
    :approved_by,
    :clock
from outcomes as o
inner join
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, 'infinity', :clock,
        wib_midnight(cast(:deadline_on as date) + 1)
    ) as s
    on o.recipient_id = s.recipient_id
where
    o.decision_id = :decision_id
    and o.outcome = 'overdue'
    and s.outcome = 'overdue'
    and exists (select from approvals as a where a.decision_id = :decision_id and a.subject = 'revocation')
on conflict (recipient_id) do nothing
