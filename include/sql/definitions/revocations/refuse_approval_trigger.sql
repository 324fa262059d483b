create or replace trigger refuse_approval after insert on approvals
for each row execute function refuse_approval();
create or replace trigger refuse_approval after insert on publication_approvals
for each row execute function refuse_approval();
create or replace trigger refuse_approval after insert on appeal_decisions
for each row execute function refuse_approval();
