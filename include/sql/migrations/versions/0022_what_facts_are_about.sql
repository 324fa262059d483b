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

-- What each fact about a person is about. Unique keys hold it; docs/states.md lists it.
comment on table suspensions is 'about: person and first day';
comment on table suspension_lifts is 'about: person and first day';
comment on table withdrawals is 'about: person';
comment on table evidence is 'about: person';
comment on table outcomes is 'about: person and deadline';
comment on table hold_resolutions is 'about: person and deadline';
comment on table late_findings is 'about: person, kind and deadline';
comment on table batch_members is 'about: batch and person';
comment on table revocations is 'about: person';
comment on table reinstatements is 'about: person';
comment on table appeals is 'about: appeal';
comment on table appeal_decisions is 'about: appeal';
comment on table blacklist_changes is 'about: version and person';
