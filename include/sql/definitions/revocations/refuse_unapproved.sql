-- Trigger: refuse a revocation, a reinstatement or a change of the list that too few different people have approved, or
-- that somebody with a part in it has approved. In a replay, one approval in advance replaces all others. What a replay
-- revoked may be listed afterwards, and so may what was carried out before this rule. If approvals are signed, only
-- those with a signature count. For changes of the list this trigger counts all approvals: the publisher verifies the
-- signatures, and its messages say what to do.
create or replace function refuse_unapproved() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    digests text[];
    refused record;
begin
    if tg_table_name = 'blacklist_changes' then
        digests := array(
            select distinct coalesce(e.digest, v.digest)
            from added as a
            left join revocations as v
                on a.recipient_id = v.recipient_id and a.op = 'ADD' and v.approvers is not null
            left join reinstatements as e
                on a.recipient_id = e.recipient_id and a.op = 'WITHDRAW' and e.approvers is not null
        );
        if exists (
            select from added as a
            where
                a.op = 'WITHDRAW'
                and not exists (select from reinstatements as e where e.recipient_id = a.recipient_id)
                -- unless added in the same version, under a NIK that another person has approved
                and not exists (
                    select from added as n
                    inner join niks_in_force as f on n.nik_correction_id = f.correction_id
                    where n.op = 'ADD' and n.recipient_id = a.recipient_id and f.recipient_id = a.recipient_id
                )
        ) then
            raise exception using errcode = 'check_violation', constraint = 'approved_by_enough',
                message = 'blacklist_changes: withdrawn but not reinstated';
        end if;
        if exists (
            select from added as a
            left join niks_in_force as f on a.recipient_id = f.recipient_id
            where a.op = 'ADD' and a.nik_correction_id <> coalesce(f.correction_id, 0)
        ) then
            raise exception using errcode = 'check_violation', constraint = 'approved_by_enough',
                message = 'blacklist_changes: added under a NIK that is not in force';
        end if;
        if exists (
            select from added as a
            inner join niks_in_force as f on a.recipient_id = f.recipient_id
            inner join listed_changes as l on a.recipient_id = l.recipient_id
            where a.op = 'ADD' and l.nik_correction_id <> a.nik_correction_id
        ) then
            raise exception using errcode = 'check_violation', constraint = 'approved_by_enough',
                message = 'blacklist_changes: listed under two NIKs';
        end if;
    else
        digests := array(select distinct a.digest from added as a);
    end if;
    select b.digest
    into refused
    from batch_approvals as b
    where
        b.digest = any(digests)
        and not (b.stands_in_advance or b.is_approved_in_advance and tg_table_name = 'blacklist_changes')
        and (
            case tg_table_name when 'blacklist_changes' then b.approvals_recorded else b.approvals_given end
            < b.approvals_needed
            or b.is_approved_by_one_of_them
        )
    limit 1;
    if found then
        raise exception using errcode = 'check_violation', constraint = 'approved_by_enough',
            message = format('%s: batch %s is not approved by enough others', tg_table_name, left(refused.digest, 16));
    end if;
    if tg_table_name = 'reinstatements' then
        if exists (
            select from added as r
            where r.digest is null and not exists (
                select from appeals as a
                inner join appeal_decisions as d on a.appeal_id = d.appeal_id
                where a.recipient_id = r.recipient_id and d.is_upheld
            )
        ) then
            raise exception using errcode = 'check_violation', constraint = 'approved_by_enough',
                message = 'reinstatements: neither a batch nor an upheld appeal';
        end if;
    end if;
    return null;
end;
$$;
