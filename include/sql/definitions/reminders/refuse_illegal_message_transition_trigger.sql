create or replace trigger refuse_illegal_message_transition before update on reminders
for each row when (old.state is distinct from new.state) execute function refuse_illegal_message_transition();
