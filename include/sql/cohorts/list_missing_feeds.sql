-- Grain: one row per platform and business date that is due and has no accepted delivery.
-- Used by the gate of the deadline run, the daily completeness and `prakerja feeds`.
-- Parameters: as_of; first_date, last_date; platforms, active_from, active_to (arrays of one length).
with due as (
    select
        p.platform,
        days.business_date::date as business_date
    from
        unnest(cast(:platforms as text[]), cast(:active_from as date[]), cast(:active_to as date[]))
            as p (platform, active_from, active_to)
    cross join
        generate_series(cast(:first_date as date), cast(:last_date as date), interval '1 day')
            as days (business_date)
    where
        days.business_date >= p.active_from
        and (p.active_to is null or days.business_date <= p.active_to)
)

select
    due.platform,
    due.business_date
from due
left join deliveries_in_force(:as_of) as f
    on due.platform = f.platform and due.business_date = f.business_date
where f.delivery_id is null
order by due.platform, due.business_date
