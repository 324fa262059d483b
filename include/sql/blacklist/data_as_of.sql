-- Grain: one row per platform, the latest business date in force.
-- Parameters: as_of.
select
    platform,
    max(business_date) as business_date
from deliveries_in_force(:as_of)
group by platform
order by platform
