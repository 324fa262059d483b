-- Return the deliveries in force as known on a day: the highest accepted revision of each platform and business date.
create or replace function deliveries_in_force(as_of date)
returns table (delivery_id bigint, platform text, business_date date, revision bigint, arrived_on date)
language sql stable parallel safe
begin atomic
    select distinct on (d.platform, d.business_date)
        d.delivery_id,
        d.platform,
        d.business_date,
        d.revision,
        d.arrived_on
    from deliveries as d
    where d.status = 'accepted' and d.arrived_on <= deliveries_in_force.as_of
    order by d.platform, d.business_date, d.revision desc;
end;
