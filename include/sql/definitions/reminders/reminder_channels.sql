-- The channels in the order in which they are tried, as `reminders.channels` of program.yaml lists them.
create or replace function reminder_channels() returns text[]
language sql immutable parallel safe
return array['sms', 'email'];
