-- Grain: one row per platform and business date whose latest recorded revision was rejected.
-- Parameters: first_date.
with latest as (
    select distinct on (platform, business_date)
        platform,
        business_date,
        status,
        reason
    from deliveries
    where business_date >= :first_date
    order by platform, business_date, revision desc, delivery_id desc
)

select
    platform,
    business_date,
    reason
from latest
where status = 'rejected'
order by business_date, platform
