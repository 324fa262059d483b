-- The first channel after another (null: of all channels) that reaches a recipient who has not opted out of it, with
-- the token of the address; no row if there is none.
create or replace function next_channel(recipient_id bigint, phone_token text, email_token text, after_channel text)
returns table (channel text, address text)
language sql stable
begin atomic
    select
        o.channel,
        token_of(o.channel, next_channel.phone_token, next_channel.email_token)
    from unnest(reminder_channels()) with ordinality as o (channel, place)
    where
        (
            next_channel.after_channel is null
            or o.place > array_position(reminder_channels(), next_channel.after_channel)
        )
        and token_of(o.channel, next_channel.phone_token, next_channel.email_token) <> ''
        and not opted_out(next_channel.recipient_id, o.channel)
    order by o.place
    limit 1;
end;
