-- Grain: one row per roster that was looked at before, in order. `corrected_since` is the last decision by which a NIK
-- has come into force since a roster was rejected for having somebody else's: it is looked at again.
select
    r.cohort,
    r.status,
    r.fingerprint,
    r.sha256,
    case
        when r.reason = 'recipient_in_another_cohort' then (
            select max(d.decision_number)
            from correction_decisions as d
            where d.is_approved and d.recorded_at > r.recorded_at
        )
    end as corrected_since
from rosters as r
order by r.roster_id
