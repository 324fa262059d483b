-- Trigger: refuse an approval in advance outside a replay, in a warehouse that has been live, or if approvals are
-- signed. Refuse an approval by somebody who had a part in the batch or has decided an appeal against it. Refuse a
-- decision on an appeal by somebody who approved the revocation.
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
    if new.is_recorded_in_advance and (
        not is_replaying()
        or exists (select from went_live)
        or exists (select from approval_rule as r where r.must_be_signed)
    ) then
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
        if exists (
            select from batch_members as m
            inner join revocations as v on m.digest = v.digest and m.recipient_id = v.recipient_id
            inner join appeals as p on m.recipient_id = p.recipient_id
            inner join appeal_decisions as d on p.appeal_id = d.appeal_id
            where m.digest = new.digest and lower(d.decided_by) = lower(new.approved_by)
        ) then
            raise exception using errcode = 'check_violation', constraint = 'decided_by_another',
                message = 'approvals: approved by somebody who decided an appeal against it';
        end if;
    end if;
    return null;
end;
$$;
