create or replace trigger refuse_illegal_transition after insert on outcomes
referencing new table as added for each statement execute function refuse_illegal_transition();
create or replace trigger refuse_illegal_transition after insert on hold_resolutions
referencing new table as added for each statement execute function refuse_illegal_transition();
create or replace trigger refuse_illegal_transition after insert on late_findings
referencing new table as added for each statement execute function refuse_illegal_transition();
create or replace trigger refuse_illegal_transition after insert on revocations
referencing new table as added for each statement execute function refuse_illegal_transition();
create or replace trigger refuse_illegal_transition after insert on reinstatements
referencing new table as added for each statement execute function refuse_illegal_transition();
