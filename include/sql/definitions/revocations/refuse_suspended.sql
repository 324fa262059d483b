-- Trigger: refuse to revoke a held recipient who is suspended on the day of the revocation (R27), even after a
-- resolution.
create or replace function refuse_suspended() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if exists (
        select from added as a
        inner join suspensions as s on a.recipient_id = s.recipient_id and s.suspended_on <= a.revoked_on
        inner join decisions as d on a.decision_id = d.decision_id
        inner join outcomes as o
            on a.recipient_id = o.recipient_id and d.deadline_on = o.deadline_on and o.outcome = 'held'
        left join suspension_lifts as l on s.recipient_id = l.recipient_id and s.suspended_on = l.suspended_on
        where l.lifted_on is null or l.lifted_on > a.revoked_on
    ) then
        raise exception using errcode = 'check_violation', constraint = 'revocations_not_suspended',
            message = 'revocations: a recipient is suspended';
    end if;
    return null;
end;
$$;
