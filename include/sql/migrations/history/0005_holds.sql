-- What a person found out about someone who is held: bought in time, or not. Once, with the reason; never undone by a
-- run. Not bought proposes a batch of that one person, which another person must approve.
create table hold_resolutions (
    recipient_id bigint primary key references outcomes,
    is_purchased boolean not null,
    because text not null check (because <> ''),
    resolved_by text not null,
    resolved_on date not null,
    recorded_at timestamptz not null default now()
);

alter table batches drop constraint batches_subject_check;
alter table batches add constraint batches_subject_check check (subject in ('revocation', 'reinstatement', 'hold'));
alter table approvals drop constraint approvals_subject_check;
alter table approvals add constraint approvals_subject_check
check (subject in ('revocation', 'reinstatement', 'hold'));
