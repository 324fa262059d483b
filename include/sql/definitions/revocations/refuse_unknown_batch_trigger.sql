create or replace trigger refuse_unknown_batch after insert on batch_members
referencing new table as added for each statement execute function refuse_unknown_batch();
create or replace trigger refuse_unknown_batch after insert on revocations
referencing new table as added for each statement execute function refuse_unknown_batch();
