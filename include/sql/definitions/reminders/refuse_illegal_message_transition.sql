-- Refuse a change of a message's state that is not one of `message_transitions`.
create or replace function refuse_illegal_message_transition() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if not exists (
        select from message_transitions as t where t.from_state = old.state and t.to_state = new.state
    ) then
        raise exception using errcode = 'check_violation', constraint = 'message_transitions',
            message = format('no message goes from %s to %s', old.state, new.state);
    end if;
    return new;
end;
$$;
