-- Grain: one suspension of a recipient, or none while they are suspended.
-- Parameters: recipient_id, suspended_on, is_permanent, because, suspended_by.
-- Role: decide.
insert into suspensions (recipient_id, suspended_on, is_permanent, because, suspended_by)
select
    :recipient_id,
    :suspended_on,
    :is_permanent,
    :because,
    :suspended_by
where
    not exists (
        select
        from suspensions as s
        left join suspension_lifts as l on s.recipient_id = l.recipient_id and s.suspended_on = l.suspended_on
        where s.recipient_id = :recipient_id and (l.lifted_on is null or l.lifted_on > :suspended_on)
    )
on conflict (recipient_id, suspended_on) do nothing
