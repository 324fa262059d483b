-- Whether an event is a purchase. Any other event is about a purchase, which it names by its transaction id.
create or replace function is_purchase(event transaction_event) returns boolean
language sql immutable parallel safe
return event = 'PAID';
