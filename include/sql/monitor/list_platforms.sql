-- Grain: one row per platform that has delivered, with its newest business date and the rows of its largest delivery in
-- force.
-- Parameters: none.
select
    d.platform,
    max(d.business_date) as newest,
    max(d.rows) filter (where f.delivery_id is not null) as most
from deliveries as d
left join deliveries_in_force('infinity') as f on d.delivery_id = f.delivery_id
group by d.platform
order by d.platform
