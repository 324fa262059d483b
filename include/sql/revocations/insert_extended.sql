-- Grain: one finding per recipient of a cohort who was revoked, by whichever decision, before its deadline was extended
-- to a later one.
-- May run twice. Parameters: cohort, deadline_now, as_of.
-- Role: decide.
insert into late_findings (recipient_id, kind, deadline_on, found_on)
select
    v.recipient_id,
    'deadline_extended',
    d.deadline_on,
    :as_of
from revocations as v
inner join decisions as d on v.decision_id = d.decision_id
where
    d.cohort = :cohort
    and d.deadline_on < :deadline_now
    and not exists (
        select from late_findings as l
        where l.recipient_id = v.recipient_id and l.kind = 'deadline_extended'
    )
on conflict (recipient_id, kind, deadline_on) do nothing
