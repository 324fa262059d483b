-- Grain: one row per platform, the latest business date in force.
-- Parameters: known_by.
select
    platform,
    max(business_date) as business_date
from deliveries_in_force(:known_by)
group by platform
order by platform
