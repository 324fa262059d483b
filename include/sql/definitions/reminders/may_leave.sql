-- Whether a message may leave at an instant: during the recipient's day, or at any hour if their next day would begin
-- after the deadline.
create or replace function may_leave(at timestamptz, region_code text, deadline_on date, opens integer, closes integer)
returns boolean
language sql stable parallel safe
return case
    when extract(hour from at at time zone zone_of(region_code)) >= closes
        then (
            date_trunc('day', at at time zone zone_of(region_code)) + make_interval(days => 1, hours => opens)
        ) at time zone zone_of(region_code) >= wib_midnight(deadline_on + 1)
    when extract(hour from at at time zone zone_of(region_code)) < opens
        then (
            date_trunc('day', at at time zone zone_of(region_code)) + make_interval(hours => opens)
        ) at time zone zone_of(region_code) >= wib_midnight(deadline_on + 1)
    else true
end;
