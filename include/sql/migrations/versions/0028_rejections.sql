-- A person has looked at a batch and said no: kept beside the approvals, once a day. It binds nobody: the batch stands
-- as long as it is proposed, and whoever is asked again is shown it.
create table rejections (
    rejection_id bigint generated always as identity primary key,
    digest text not null references batches,
    rejected_by text not null check (rejected_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
    rejected_on date not null,
    recorded_at timestamptz not null default now(),
    entry bigint not null
);
create unique index rejections_once on rejections (digest, rejected_by, rejected_on);
create index rejections_entry on rejections using brin (entry) with (autosummarize = on);

insert into audited (fact, ordered_by) values ('rejections', '{rejection_id}');
