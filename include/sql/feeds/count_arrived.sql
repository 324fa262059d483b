-- Grain: one row, what arrived on a WIB day: accepted deliveries and their platforms, rows, rejected deliveries.
-- Parameters: arrived_on.
select
    count(*) filter (where status = 'accepted') as accepted,
    count(distinct platform) filter (where status = 'accepted') as platforms,
    coalesce(sum(loaded) filter (where status = 'accepted'), 0)::bigint as loaded,
    coalesce(sum(quarantined) filter (where status = 'accepted'), 0)::bigint as quarantined,
    coalesce(
        array_agg(platform || ' ' || business_date order by platform, business_date)
        filter (where status = 'rejected'), '{}'
    ) as rejected
from deliveries
where arrived_on = :arrived_on
