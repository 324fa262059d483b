-- Grain: one reinstatement per member of an approved batch whose purchase still stands, or whose deadline was extended.
-- May run twice: a recipient is reinstated once.
-- Parameters: digest, as_of; announced_on, deadline_now, settlement_days: the window by now.
-- Role: decide.
insert into reinstatements (recipient_id, digest, because, approvers, reinstated_on)
select
    m.recipient_id,
    b.digest,
    case when s.outcome = 'purchased' then 'purchase' else 'deadline_extended' end,
    p.approvers,
    :as_of
from batches as b
inner join batch_approvals as p on b.digest = p.digest
inner join batch_members as m on b.digest = m.digest
inner join
    standing_of(
        array(select n.recipient_id from batch_members as n where n.digest = :digest),
        :announced_on, :deadline_now, :settlement_days, :as_of
    ) as s
    on m.recipient_id = s.recipient_id
where
    b.digest = :digest
    and b.subject = 'reinstatement'
    and (
        s.outcome = 'purchased'
        or (
            s.outcome <> 'excluded'
            and exists (
                select from late_findings as f where f.recipient_id = m.recipient_id and f.kind = 'deadline_extended'
            )
        )
    )
on conflict (recipient_id) do nothing
