-- Whether a message may leave at an instant: in the recipient's own day; at any hour where their next day would begin
-- after the deadline's end, since a message that comes too late is no reminder.
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
