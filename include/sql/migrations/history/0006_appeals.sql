-- What a revoked person says (R20: the complaint form). The text is personal, and read by whoever decides alone.
create table appeals (
    appeal_id bigint generated always as identity primary key,
    recipient_id bigint not null references revocations,
    text text not null check (text <> ''),
    opened_by text not null,
    opened_on date not null,
    recorded_at timestamptz not null default now()
);
create index appeals_recipient on appeals (recipient_id);

-- One decision per appeal, by nobody who approved the revocation. Upheld, it reinstates.
create table appeal_decisions (
    appeal_id bigint primary key references appeals,
    is_upheld boolean not null,
    because text not null check (because <> ''),
    decided_by text not null,
    decided_on date not null,
    recorded_at timestamptz not null default now()
);
