-- Trigger: record that this warehouse is live at the first decision, revocation or reinstatement outside a replay.
create or replace function note_live() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if is_replaying() or not exists (select from added) then
        return null;
    end if;
    if tg_table_name = 'decisions' then
        insert into went_live select from added where status = 'made' limit 1 on conflict do nothing;
    else
        insert into went_live default values on conflict do nothing;
    end if;
    return null;
end;
$$;
