-- Grain: one finding per overdue recipient who was not revoked, since deliveries after the decision speak for them:
-- with the row of the purchase, where it is one.
-- May run twice. Parameters: cohort, deadline_on, as_of; announced_on, settlement_days: the window as decided.
-- Role: decide.
with spared as materialized (
    select o.recipient_id
    from outcomes as o
    where
        o.cohort = :cohort
        and o.deadline_on = :deadline_on
        and o.outcome = 'overdue'
        and not exists (select from hold_resolutions as h where h.recipient_id = o.recipient_id and h.is_purchased)
        and not exists (select from revocations as r where r.recipient_id = o.recipient_id)
        and not exists (
            select from late_findings as l
            where l.recipient_id = o.recipient_id and l.kind = 'spared' and l.deadline_on is null
        )
)

insert into late_findings (recipient_id, kind, deadline_on, found_on, delivery_id, line)
select
    p.recipient_id,
    'spared',
    :deadline_on,
    :as_of,
    case when s.outcome = 'purchased' then s.delivery_id end,
    case when s.outcome = 'purchased' then s.line end
from spared as p
left join
    standing_of(
        array(select q.recipient_id from spared as q), :announced_on, :deadline_on, :settlement_days, :as_of
    ) as s
    on p.recipient_id = s.recipient_id
on conflict (recipient_id, kind, deadline_on) do nothing
