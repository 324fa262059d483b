-- People to be revoked, or reinstated, together. The digest is over the decision and every one of them: a batch that
-- gains or loses one is another batch, and needs approvals of its own.
create table batches (
    digest text primary key check (digest ~ '^[0-9a-f]{64}$'),
    decision_id text not null references decisions,
    subject text not null check (subject in ('revocation', 'reinstatement')),
    people bigint not null check (people > 0),
    proposed_by text not null,
    proposed_on date not null,
    recorded_at timestamptz not null default now(),
    attempt bigint generated always as identity
);
create index batches_decision on batches (decision_id, subject);

create table batch_members (
    digest text not null references batches,
    recipient_id bigint not null references outcomes,
    primary key (digest, recipient_id)
);

create index batch_members_recipient on batch_members (recipient_id);

-- Approvals before this were of a decision and subject; those that were carried out stay as they are.
alter table approvals add column digest text references batches;
alter table approvals drop constraint approvals_pkey;
create unique index approvals_once on approvals (digest, approved_by);

alter table revocations add column digest text references batches;
alter table reinstatements add column digest text references batches;
