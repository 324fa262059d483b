-- Who approves, proposes, resolves, overrides and decides is a person's id, in lower case. Rows of before, which may
-- have names as they were typed, stay as they were sealed.

-- How many different people must approve a batch: one row, which `db upgrade` writes from program.yaml.
create table approval_rule (
    is_the_rule boolean primary key default true check (is_the_rule),
    one_approver_up_to bigint not null check (one_approver_up_to >= 0),
    approvers smallint not null check (approvers >= 1),
    approvers_above smallint not null check (approvers_above >= approvers)
);
comment on column approval_rule.one_approver_up_to is 'people in a batch; a larger one needs approvers_above';

-- Since when this warehouse decides, revokes or reinstates outside a replay: from then on nobody approves in advance.
create table went_live (
    is_live boolean primary key default true check (is_live),
    went_live_at timestamptz not null default now()
);
-- A live decision is made on the day that it is about; a replayed one later.
insert into went_live (went_live_at)
select min(recorded_at)
from decisions
where status = 'made' and (recorded_at at time zone 'Asia/Jakarta')::date = as_of
having min(recorded_at) is not null;

alter table approvals add column signature text;
comment on column approvals.signature is 'of the approval''s text, by a key of the approver (ssh-keygen -Y sign)';
alter table approvals add constraint approvals_by_an_id
check (is_recorded_in_advance or approved_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$') not valid;
alter table batches add constraint batches_by_an_id
check (proposed_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$') not valid;
alter table hold_resolutions add constraint hold_resolutions_by_an_id
check (resolved_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$') not valid;
alter table overrides add constraint overrides_by_an_id
check (overridden_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$') not valid;
alter table appeal_decisions add constraint appeal_decisions_by_an_id
check (decided_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$') not valid;

alter table revocations alter column approved_by drop not null;
alter table revocations add column approvers text[];
alter table revocations add constraint revocations_have_approvers
check (num_nonnulls(approved_by, approvers) = 1 and cardinality(approvers) > 0);
comment on column revocations.approved_by is 'joined by commas, of before approvers were kept one by one';
alter table reinstatements alter column approved_by drop not null;
alter table reinstatements add column approvers text[];
alter table reinstatements add constraint reinstatements_have_approvers
check (num_nonnulls(approved_by, approvers) = 1 and cardinality(approvers) > 0);
comment on column reinstatements.approved_by is 'joined by commas, of before approvers were kept one by one';
