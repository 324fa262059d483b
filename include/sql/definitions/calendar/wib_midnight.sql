-- Return the instant at which a WIB day begins. A deadline day ends at `wib_midnight(deadline_on + 1)`.
create or replace function wib_midnight(day date) returns timestamptz
language sql immutable parallel safe
return day::timestamp at time zone 'Asia/Jakarta';
