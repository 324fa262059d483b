create or replace trigger refuse_own_correction after insert on correction_decisions
for each row execute function refuse_own_correction();
