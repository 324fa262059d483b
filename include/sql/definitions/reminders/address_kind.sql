-- The kind of address that a channel reaches, as `reminders.channels` of program.yaml has it: `phone` or `email`. An
-- unknown channel raises: its messages would otherwise go to whatever address comes last.
create or replace function address_kind(of_channel text) returns text
language plpgsql immutable parallel safe
as $$
begin
    case of_channel
        when 'sms' then return 'phone';
        when 'email' then return 'email';
        else raise exception using errcode = 'invalid_parameter_value', message = format('%s is not a channel', of_channel);
    end case;
end;
$$;
