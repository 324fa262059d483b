-- The recipients of a run, each with the one of their messages that counts: a delivered one, else an accepted one, else
-- that of the last channel.
create or replace function reminded_people(of_cohort integer, of_date date)
returns table (recipient_id bigint, channel text, state text)
language sql stable
begin atomic
    select distinct on (m.recipient_id)
        m.recipient_id,
        m.channel,
        m.state
    from reminders as m
    where m.cohort = of_cohort and m.remind_on = of_date
    order by
        m.recipient_id,
        (m.state = 'delivered') desc,
        (m.state = 'accepted') desc,
        array_position(reminder_channels(), m.channel) desc;
end;
