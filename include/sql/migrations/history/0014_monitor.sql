-- What the monitor shows, kept by the runs: nothing but what follows from facts, so that a page asks no ledger.

-- Where a cohort's recipients bought first, by the WIB day of the payment.
create table cohort_days (
    cohort integer not null,
    paid_on date not null,
    platform text not null,
    purchases bigint not null,
    primary key (cohort, paid_on, platform)
);

create table cohort_regions (
    cohort integer not null,
    region_code text not null,
    selected bigint not null,
    purchased bigint not null,
    held bigint not null,
    overdue bigint not null,
    excluded bigint not null,
    revoked bigint not null,
    reinstated bigint not null,
    primary key (cohort, region_code)
);

-- The rest of a cohort, as its table, its reminders and its holds tell it.
create table cohort_figures (
    cohort integer primary key,
    refreshed_at timestamptz not null,
    -- What days and regions were counted from; counted anew where it is another by now.
    counted_from text not null,
    figures jsonb not null
);

-- Who has looked at whose story in the monitor.
create table looks (
    look_id bigint generated always as identity primary key,
    recipient_id bigint not null references recipients,
    looked_by text not null,
    looked_at timestamptz not null default now(),
    entry bigint not null default current_entry()
);
create index looks_entry on looks using brin (entry) with (autosummarize = on);
insert into audited (fact, ordered_by) values ('looks', '{look_id}');
create trigger note_fact after insert on looks referencing new table as added
for each statement execute function note_fact();
