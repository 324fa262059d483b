-- What an independent second reading of the same files came to: how many recipients it read, on how many the two
-- readings differ, and the SHA-256 over each recipient's card and outcome, which the decision's id covers.
create table second_readings (
    decision_id text primary key references decisions,
    recipients bigint not null check (recipients >= 0),
    differing bigint not null check (differing between 0 and recipients),
    result_sha256 text not null check (result_sha256 ~ '^[0-9a-f]{64}$'),
    recorded_at timestamptz not null default now(),
    entry bigint not null
);
create index second_readings_entry on second_readings using brin (entry) with (autosummarize = on);

-- On whom they differ: what each of them says, and the rows that each goes by.
create table reading_differences (
    decision_id text not null references second_readings,
    recipient_id bigint not null references recipients,
    first_outcome text not null,
    first_because text not null,
    first_delivery_id bigint references deliveries,
    first_line bigint,
    second_outcome text not null,
    second_because text not null,
    second_delivery_id bigint references deliveries,
    second_line bigint,
    entry bigint not null,
    primary key (decision_id, recipient_id)
);
comment on table reading_differences is 'about: decision_id, recipient_id';
create index reading_differences_of on reading_differences (recipient_id);
create index reading_differences_entry on reading_differences using brin (entry) with (autosummarize = on);

-- Decisions until this attempt were made before there was a second reading, and are carried out without one.
create table read_once (until_attempt bigint not null);
insert into read_once (until_attempt) select coalesce(max(attempt), 0) from decisions;

insert into audited (fact, ordered_by) values
('second_readings', '{decision_id}'),
('reading_differences', '{decision_id,recipient_id}');
