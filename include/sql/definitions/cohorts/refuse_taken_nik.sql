-- Refuse a roster or an approval that gives two people the same NIK. NIKs in force are unique, which no index can
-- enforce: a lock makes concurrent additions wait for each other.
create or replace function refuse_taken_nik() returns trigger
language plpgsql security definer
set search_path = public, pg_temp
as $$
begin
    if not exists (select from added) then
        return null;
    end if;
    perform lock_name('niks');
    if tg_table_name = 'recipients' then
        if exists (
            select from added as a
            inner join recipients as r on a.nik = r.nik and a.recipient_id <> r.recipient_id
            where not exists (select from niks_in_force as n where n.recipient_id = r.recipient_id)
        ) or exists (
            select from added as a
            inner join niks_in_force as n on a.nik = n.nik
        ) then
            raise exception using errcode = 'unique_violation', constraint = 'recipients_nik',
                message = 'recipients: a NIK that somebody has';
        end if;
    elsif exists (
        select from added as a
        inner join corrections as c on a.request = c.request
        inner join correction_values as v on c.correction_id = v.correction_id
        where
            a.is_approved and (
                exists (
                    select from niks_in_force as n
                    where n.nik = v.nik and n.recipient_id <> v.recipient_id
                ) or exists (
                    select from recipients as r
                    where r.nik = v.nik and r.recipient_id <> v.recipient_id
                        and not exists (select from niks_in_force as n where n.recipient_id = r.recipient_id)
                )
            )
    ) then
        raise exception using errcode = 'unique_violation', constraint = 'recipients_nik',
            message = 'correction_decisions: a NIK that somebody has';
    end if;
    return null;
end;
$$;
