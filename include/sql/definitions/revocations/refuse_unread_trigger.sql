create or replace trigger refuse_unread after insert on revocations
referencing new table as added for each statement execute function refuse_unread();
