-- Grain: one row per quarantined row of a delivery in force, in the order of its file.
-- Parameters: platform, first_date, last_date, reason (each may be null for all).
select
    d.platform,
    d.business_date,
    d.revision,
    q.line,
    q.reasons,
    q.delivered
from quarantine as q
inner join deliveries_in_force('infinity') as f on q.delivery_id = f.delivery_id
inner join deliveries as d on q.delivery_id = d.delivery_id
where
    (cast(:platform as text) is null or d.platform = :platform)
    and (cast(:first_date as date) is null or d.business_date >= :first_date)
    and (cast(:last_date as date) is null or d.business_date <= :last_date)
    and (cast(:reason as text) is null or :reason = any(q.reasons))
order by d.business_date, d.platform, q.line
