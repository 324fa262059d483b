create or replace trigger refuse_taken_nik after insert on recipients
referencing new table as added for each statement execute function refuse_taken_nik();
create or replace trigger refuse_taken_nik after insert on correction_decisions
referencing new table as added for each statement execute function refuse_taken_nik();
