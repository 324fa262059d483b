-- Grain: one row per examined roster, in order. If a roster was rejected for a NIK of another recipient,
-- `corrected_since` is the last correction approved since then: the roster is examined again.
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
