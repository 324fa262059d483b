-- Someone held for one deadline may be held again for the next one, and is looked into again. Rows of before may have
-- no deadline: they were the only ones of their person.
alter table hold_resolutions drop constraint hold_resolutions_pkey;
alter table hold_resolutions
add constraint hold_resolutions_key unique nulls not distinct (recipient_id, deadline_on);
alter table hold_resolutions add constraint hold_resolutions_deadline check (deadline_on is not null) not valid;

-- What deliveries showed after the decision for one deadline says nothing of the decision for the next.
alter table late_findings add column deadline_on date;
alter table late_findings drop constraint late_findings_pkey;
alter table late_findings
add constraint late_findings_key unique nulls not distinct (recipient_id, kind, deadline_on);
alter table late_findings add constraint late_findings_deadline check (deadline_on is not null) not valid;
-- What earlier versions passed over is looked for once more: it is found for whoever it is about.
update evidence_bases set noticed = 0 where noticed <> 0;
comment on column late_findings.deadline_on is 'of the decision; null for findings of before they had one';

-- A proposal that stood, until what spoke for its people was taken back: nobody is asked to approve it any more.
create table proposal_lapses (
    proposal_id bigint primary key references proposals,
    lapsed_on date not null,
    recorded_at timestamptz not null default now(),
    entry bigint not null
);
create index proposal_lapses_entry on proposal_lapses using brin (entry) with (autosummarize = on);
insert into audited (fact, ordered_by) values ('proposal_lapses', '{proposal_id}');

update audited set ordered_by = '{recipient_id,deadline_on}' where fact = 'hold_resolutions';
update audited set ordered_by = '{recipient_id,kind,deadline_on}' where fact = 'late_findings';

-- What each fact about a person is about, by the columns of a unique key; docs/states.md lists them.
comment on table suspensions is 'about: recipient_id, suspended_on';
comment on table suspension_lifts is 'about: recipient_id, suspended_on';
comment on table withdrawals is 'about: recipient_id';
comment on table evidence is 'about: recipient_id';
comment on table outcomes is 'about: recipient_id, deadline_on';
comment on table hold_resolutions is 'about: recipient_id, deadline_on';
comment on table late_findings is 'about: recipient_id, kind, deadline_on';
comment on table batch_members is 'about: digest, recipient_id';
comment on table revocations is 'about: recipient_id';
comment on table reinstatements is 'about: recipient_id';
comment on table appeals is 'about: appeal_id';
comment on table appeal_decisions is 'about: appeal_id';
comment on table blacklist_changes is 'about: version, recipient_id';
comment on table reminders is 'about: recipient_id, cohort, remind_on, channel';
comment on table opt_outs is 'about: choice_id';
