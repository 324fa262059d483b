-- Whether an event undoes the purchase that it names. The events are listed, not excluded: an event that platforms
-- introduce later undoes nothing until it is added here.
-- PostgreSQL refuses a new enum value in the transaction that adds it. A function that an upgrade defines together with
-- the value therefore compares text (`event::text`), and is `stable` instead of `immutable`.
create or replace function is_undoing(event transaction_event) returns boolean
language sql immutable parallel safe
return event in ('CANCELLED', 'REFUNDED');
