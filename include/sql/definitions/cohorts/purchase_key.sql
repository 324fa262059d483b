-- Return the key shared by a purchase and the rows about it: platform and transaction id as one number.
create or replace function purchase_key(platform text, transaction_id text) returns bigint
language sql immutable parallel safe
return hashtextextended(platform || ' ' || transaction_id, 0);
