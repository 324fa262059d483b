-- Grain: one row: the number of days of a platform with a delivery in force, and the median of their rows.
-- Parameters: platform, first_date, before (exclusive), as_of.
select
    count(*) as days,
    coalesce(percentile_disc(0.5) within group (order by d.rows), 0) as rows
from deliveries_in_force(cast(:as_of as date)) as f
inner join deliveries as d on f.delivery_id = d.delivery_id
where f.platform = :platform and f.business_date >= :first_date and f.business_date < :before
