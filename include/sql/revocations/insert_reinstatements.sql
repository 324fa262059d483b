-- Grain: one reinstatement per member of an approved batch whose purchase still stands.
-- May run twice: a recipient is reinstated once.
-- Parameters: digest, approved_by, clock; cohort, announced_on, deadline_on, settlement_days as decided.
insert into reinstatements (recipient_id, digest, approved_by, reinstated_on)
select
    m.recipient_id,
    b.digest,
    :approved_by,
    :clock
from batches as b
inner join batch_members as m on b.digest = m.digest
inner join
    standing(
        :cohort, :announced_on, :deadline_on, :settlement_days, 'infinity', :clock,
        wib_midnight(cast(:deadline_on as date) + 1)
    ) as s
    on m.recipient_id = s.recipient_id
where
    b.digest = :digest
    and b.subject = 'reinstatement'
    and s.outcome = 'purchased'
    and exists (select from approvals as a where a.digest = b.digest)
on conflict (recipient_id) do nothing
