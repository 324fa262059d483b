-- Whether an instant is in a cohort's window, [announced 00:00 WIB, deadline + 1 00:00 WIB). The only definition of it.
create or replace function is_in_window(at timestamptz, announced_on date, deadline_on date) returns boolean
language sql immutable parallel safe
return at >= wib_midnight(announced_on) and at < wib_midnight(deadline_on + 1);
