-- Refuse an approval of one's own correction, of an unknown request, of a request whose NIKs were deleted, and of one
-- that a later correction of the same NIK replaced.
create or replace function refuse_own_correction() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if not exists (select from corrections as c where c.request = new.request) then
        raise exception using errcode = 'foreign_key_violation', constraint = 'correction_decisions_request',
            message = 'correction_decisions: no such request';
    end if;
    if new.is_approved and exists (
        select from corrections as c where c.request = new.request and lower(c.corrected_by) = lower(new.decided_by)
    ) then
        raise exception using errcode = 'check_violation', constraint = 'corrected_by_another',
            message = 'correction_decisions: approved by somebody who corrected it';
    end if;
    if new.is_approved and exists (
        select from corrections as c
        inner join correction_values as v on c.correction_id = v.correction_id
        where c.request = new.request and v.nik is null
    ) then
        raise exception using errcode = 'check_violation', constraint = 'correction_has_its_value',
            message = 'correction_decisions: the NIK was forgotten';
    end if;
    if new.is_approved and exists (
        select from corrections as c
        inner join corrections as l on c.recipient_id = l.recipient_id and l.correction_id > c.correction_id
        where
            c.request = new.request and l.request <> c.request
            and not exists (select from correction_decisions as d where d.request = l.request and not d.is_approved)
    ) then
        raise exception using errcode = 'check_violation', constraint = 'correction_is_the_last',
            message = 'correction_decisions: corrected again since';
    end if;
    return null;
end;
$$;
