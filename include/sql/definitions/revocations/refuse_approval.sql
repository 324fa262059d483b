-- Refuses an approval in advance outside a replay, or once the warehouse was live; an approval by somebody who had a
-- part in the batch; and a decision on an appeal by somebody who approved the revocation.
create or replace function refuse_approval() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_table_name = 'appeal_decisions' then
        if exists (
            select from appeals as p
            inner join revocations as v on p.recipient_id = v.recipient_id
            where p.appeal_id = new.appeal_id and new.decided_by = any(revoked_by(v))
        ) then
            raise exception using errcode = 'check_violation', constraint = 'decided_by_another',
                message = 'appeal_decisions: decided by somebody who approved the revocation';
        end if;
        return null;
    end if;
    if new.is_recorded_in_advance and (not is_replaying() or exists (select from went_live)) then
        raise exception using errcode = 'check_violation', constraint = 'in_advance_in_replays_only',
            message = tg_table_name || ': approved in advance, and this warehouse is live';
    end if;
    if tg_table_name = 'approvals' then
        if not new.is_recorded_in_advance and exists (
            select from batch_approvals as b
            where b.digest = new.digest and lower(new.approved_by) = any(b.had_a_part)
        ) then
            raise exception using errcode = 'check_violation', constraint = 'approved_by_another',
                message = 'approvals: approved by somebody who had a part in it';
        end if;
    end if;
    return null;
end;
$$;
