-- Grain: one row per delivery and roster that was rejected, as it is told, in the order of arrival.
-- Parameters: known_by.
select
    d.platform || ' ' || d.business_date || ' r' || d.revision || ': ' || d.reason || ': ' || d.detail as told,
    d.arrived_on,
    d.delivery_id as position
from deliveries as d
where d.status = 'rejected' and d.arrived_on <= :known_by
union all
select
    'roster of gelombang-' || r.cohort || ': ' || r.reason || ': ' || r.detail,
    r.arrived_on,
    r.roster_id
from rosters as r
where r.status = 'rejected' and r.arrived_on <= :known_by
order by arrived_on, position
