-- Grain: one row per rejected delivery or roster that was not repaired since, as one line of text, in order of arrival.
-- Parameters: as_of.
select
    d.platform || ' ' || d.business_date || ' r' || d.revision || ': ' || d.reason || ': ' || d.detail as text,
    d.arrived_on,
    d.delivery_id as position
from deliveries as d
where
    d.status = 'rejected'
    and d.arrived_on <= :as_of
    and not exists (
        select
        from deliveries as a
        where
            a.platform = d.platform
            and a.business_date = d.business_date
            and a.revision = d.revision
            and a.status = 'accepted'
            and d.reason <> 'revision_altered'
    )
union all
select
    'roster of gelombang-' || r.cohort || ': ' || r.reason || ': ' || r.detail,
    r.arrived_on,
    r.roster_id
from rosters as r
where
    r.status = 'rejected'
    and r.arrived_on <= :as_of
    and not exists (
        select
        from rosters as a
        where a.cohort = r.cohort and a.status = 'accepted' and r.reason <> 'roster_altered'
    )
order by arrived_on, position
