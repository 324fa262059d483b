-- Whether a recipient has opted out of a channel, by their latest choice.
create or replace function opted_out(of_recipient bigint, of_channel text) returns boolean
language sql stable parallel safe
begin atomic
    select coalesce((
        select o.is_opted_out
        from opt_outs as o
        where o.recipient_id = of_recipient and o.channel = of_channel
        order by o.choice_id desc
        limit 1
    ), false);
end;
