-- Grain: one lift of the current suspension, or none if that is permanent.
-- Parameters: recipient_id, lifted_on, because, lifted_by.
-- Role: decide.
insert into suspension_lifts (recipient_id, suspended_on, lifted_on, because, lifted_by)
select
    s.recipient_id,
    s.suspended_on,
    :lifted_on,
    :because,
    :lifted_by
from suspensions as s
where s.recipient_id = :recipient_id and not s.is_permanent and s.suspended_on < :lifted_on
on conflict (recipient_id, suspended_on) do nothing
