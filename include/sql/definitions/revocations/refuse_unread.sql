-- Trigger: refuse revocations by a decision that was not read twice. Refuse to revoke a recipient on whom the two
-- readings differ, unless a person has resolved the hold and found no purchase.
create or replace function refuse_unread() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if exists (
        select from (select distinct decision_id from added) as a
        inner join decisions as d on a.decision_id = d.decision_id
        where
            d.attempt > (select coalesce(max(o.until_attempt), 0) from read_once as o)
            and not exists (select from second_readings as s where s.decision_id = a.decision_id)
    ) then
        raise exception using errcode = 'check_violation', constraint = 'revocations_read_twice',
            message = 'revocations: the decision was read once only';
    end if;
    if exists (
        select from added as a
        inner join reading_differences as f on a.decision_id = f.decision_id and a.recipient_id = f.recipient_id
        inner join decisions as d on a.decision_id = d.decision_id
        where
            not exists (
                select from hold_resolutions as h
                where
                    h.recipient_id = a.recipient_id
                    and h.deadline_on = d.deadline_on
                    and not h.is_purchased
            )
    ) then
        raise exception using errcode = 'check_violation', constraint = 'revocations_readings_agree',
            message = 'revocations: the two readings differ on a recipient';
    end if;
    return null;
end;
$$;
