-- What a person corrects of a recipient: names, addresses and the region, which take effect at once, or the NIK, which
-- waits for another person. `digest` is over the values, by a key that is drawn for it and that only the seal has; a
-- request is all NIKs of one file. The roster's rows stay as they were delivered.
create table corrections (
    correction_id bigint generated always as identity primary key,
    recipient_id bigint not null references recipients,
    fields text[] not null check (
        fields = '{nik}' or (cardinality(fields) > 0 and fields <@ '{full_name,phone,email,region_code}')
    ),
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    request text check (request ~ '^[0-9a-f]{64}$'),
    because text not null check (because <> ''),
    corrected_by text not null check (corrected_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
    corrected_on date not null,
    recorded_at timestamptz not null default now(),
    entry bigint not null,
    check ((fields = '{nik}') = (request is not null))
);
create index corrections_recipient on corrections (recipient_id);
create unique index corrections_once on corrections (request, recipient_id);
create index corrections_entry on corrections using brin (entry) with (autosummarize = on);

-- Another person lets the corrected NIKs of a request come into force, or refuses them.
create table correction_decisions (
    decision_number bigint generated always as identity primary key,
    request text not null unique,
    is_approved boolean not null,
    because text not null check (because <> ''),
    decided_by text not null check (decided_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
    decided_on date not null,
    signature text,
    recorded_at timestamptz not null default now(),
    entry bigint not null
);
create index correction_decisions_entry on correction_decisions using brin (entry) with (autosummarize = on);
comment on column correction_decisions.signature is 'of the request''s text, by a key of whoever decided it';

-- The values, beside the log. A NIK is kept for good, as the roster's are: the list is made from it. `sealed` has the
-- values before and after with the digest's key; it goes, and a contact that is not in force, after the retention.
create table correction_values (
    correction_id bigint primary key references corrections,
    recipient_id bigint not null references recipients,
    sealed bytea,
    nik bigint,
    contact bytea,
    phone_token text,
    email_token text,
    region_code text
);
create index correction_values_recipient on correction_values (recipient_id, correction_id);
create index correction_values_nik on correction_values (nik) where nik is not null;
comment on column correction_values.contact is 'the whole contact as corrected, sealed; null where the NIK was';

-- A NIK that was corrected is free for its owner: what is unique is what is in force (refuse_taken_nik).
alter table recipients drop constraint recipients_nik_key;
create index recipients_nik on recipients (nik);

-- Which correction the NIK of a change's subject is of; 0: as the roster has it. Corrected, a person is withdrawn and
-- added again in one version. Each NIK of theirs is added once, and withdrawn once.
alter table blacklist_changes add column nik_correction_id bigint not null default 0;
alter table blacklist_changes drop constraint blacklist_changes_pkey;
alter table blacklist_changes add primary key (version, recipient_id, op);
create unique index blacklist_changes_once on blacklist_changes (recipient_id, nik_correction_id, op);
update audited set ordered_by = '{version,recipient_id,op}' where fact = 'blacklist_changes';
comment on table blacklist_changes is 'about: version, recipient_id, op';
comment on table corrections is 'about: correction_id';

insert into audited (fact, ordered_by) values
('corrections', '{correction_id}'),
('correction_decisions', '{decision_number}');

-- A message that failed for good goes once to an address that was corrected since.
insert into message_transitions (from_state, to_state) values ('permanent_failure', 'queued');
