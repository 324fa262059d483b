-- Trigger: refuse members of a batch that is not recorded, and revocations of people who are not in a batch of their
-- decision. This replaces a foreign key, which would run a query per row: a whole batch is checked at once.
create or replace function refuse_unknown_batch() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_table_name = 'revocations' then
        if exists (
            select from added as a
            left join batches as b on a.digest = b.digest and a.decision_id = b.decision_id
            left join batch_members as m on b.digest = m.digest and a.recipient_id = m.recipient_id
            where m.recipient_id is null
        ) then
            raise exception using errcode = 'check_violation', constraint = 'revocations_in_a_batch',
                message = 'revocations: not in a batch of this decision';
        end if;
    end if;
    if exists (select distinct a.digest from added as a where a.digest is not null except select b.digest from batches as b)
    then
        raise exception using errcode = 'foreign_key_violation', constraint = tg_table_name || '_batch',
            message = tg_table_name || ': no such batch';
    end if;
    return null;
end;
$$;
