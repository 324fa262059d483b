-- Return the recipients suspended for fraud on a deadline day (R27), as known on a day. They are held, and not revoked
-- while the suspension lasts.
create or replace function suspended_at(deadline_on date, as_of date) returns table (recipient_id bigint)
language sql stable parallel safe
begin atomic
    select distinct s.recipient_id
    from suspensions as s
    left join suspension_lifts as l on s.recipient_id = l.recipient_id and s.suspended_on = l.suspended_on
    where
        s.suspended_on <= least(suspended_at.deadline_on, suspended_at.as_of)
        and (l.lifted_on is null or l.lifted_on > suspended_at.deadline_on);
end;
