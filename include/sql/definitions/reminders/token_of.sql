-- The token of the address that a channel reaches, of a recipient's two. Raises for an unknown channel.
create or replace function token_of(of_channel text, phone_token text, email_token text) returns text
language sql immutable parallel safe
return case address_kind(of_channel) when 'phone' then phone_token when 'email' then email_token end;
