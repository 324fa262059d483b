-- Grain: one row per delivery in a window with far fewer rows than the median of its platform's days in that window.
-- Parameters: delivery_ids, share_least, rows_least, days_least.
with days as (
    select
        delivery_id,
        platform,
        business_date,
        rows
    from deliveries
    where delivery_id = any(cast(:delivery_ids as bigint[]))
),

usual as (
    select
        platform,
        percentile_cont(0.5) within group (order by days.rows) as median_rows
    from days
    group by platform
    having count(*) >= :days_least
)

select
    d.platform,
    d.business_date,
    d.rows,
    u.median_rows
from days as d
inner join usual as u on d.platform = u.platform
where u.median_rows >= :rows_least and d.rows < :share_least * u.median_rows
order by d.platform, d.business_date
