-- A version is published once by each contract and under each key. All lists so far are of the first contract.
alter table published_lists add column contract text not null default 'prakerja.blacklist/1'
check (contract ~ '^prakerja\.blacklist/[1-9][0-9]{0,3}$');
alter table published_lists alter column contract drop default;
alter table published_lists drop constraint published_lists_pkey;
alter table published_lists add primary key (version, key_id, contract);

-- From which day (WIB) on no version is published by a contract, as a person has decided. The last decision counts.
create table contract_ends (
    end_id bigint generated always as identity primary key,
    contract text not null check (contract ~ '^prakerja\.blacklist/[1-9][0-9]{0,3}$'),
    ends_on date not null,
    because text not null check (because <> ''),
    ended_by text not null,
    recorded_at timestamptz not null default now(),
    entry bigint not null
);
create index contract_ends_entry on contract_ends using brin (entry) with (autosummarize = on);

insert into audited (fact, ordered_by) values ('contract_ends', '{end_id}');
