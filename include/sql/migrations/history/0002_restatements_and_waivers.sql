-- What an accepted revision changed against the one that was in force: transactions that are new, gone, or other.
create table restatements (
    delivery_id bigint primary key references deliveries,
    superseded_id bigint not null references deliveries,
    added bigint not null,
    vanished bigint not null,
    changed bigint not null
);

-- A delivery over its quarantine bound that a person answers for.
create table waivers (
    delivery_id bigint primary key references deliveries,
    accepted_by text not null,
    because text not null check (because <> ''),
    recorded_at timestamptz not null default now()
);

-- Deliveries lie in the ledger one after the other: a few pages tell where, at no cost to loading.
create index transactions_delivery_id on transactions using brin (delivery_id);
