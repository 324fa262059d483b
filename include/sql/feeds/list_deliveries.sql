-- Grain: one row per delivery that was looked at, oldest first.
-- Parameters: none.
select
    d.platform,
    d.business_date,
    d.revision,
    d.status,
    d.reason,
    d.detail,
    coalesce(d.rows, 0) as rows,
    d.loaded,
    d.quarantined_by_reason as quarantined,
    d.duplicates,
    d.arrived_on,
    f.delivery_id is not null as is_in_force
from deliveries as d
left join deliveries_in_force('infinity') as f on d.delivery_id = f.delivery_id
order by d.business_date, d.platform, d.revision, d.delivery_id
