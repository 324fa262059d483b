-- Grain: one row per delivery in force for the decision, with the SHA-256 of its content.
-- Parameters: announced_on, last_business_date, as_of.
select
    f.delivery_id,
    f.platform,
    f.business_date,
    f.revision,
    d.sha256
from deliveries_in_force(:as_of) as f
inner join deliveries as d on f.delivery_id = d.delivery_id
where f.business_date between :announced_on and :last_business_date
order by f.platform, f.business_date
