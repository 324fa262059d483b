create or replace trigger note_live after insert on decisions
referencing new table as added for each statement execute function note_live();
create or replace trigger note_live after insert on revocations
referencing new table as added for each statement execute function note_live();
create or replace trigger note_live after insert on reinstatements
referencing new table as added for each statement execute function note_live();
