create or replace trigger refuse_unapproved after insert on revocations
referencing new table as added for each statement execute function refuse_unapproved();
create or replace trigger refuse_unapproved after insert on reinstatements
referencing new table as added for each statement execute function refuse_unapproved();
create or replace trigger refuse_unapproved after insert on blacklist_changes
referencing new table as added for each statement execute function refuse_unapproved();
