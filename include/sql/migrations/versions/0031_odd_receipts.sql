-- Receipts that could not be judged: how many, of which provider, and the word of theirs that nobody knows here.
-- Nothing else of them is kept.
create table odd_receipts (
    provider text not null,
    what text not null check (what in ('entry', 'reference', 'status', 'code')),
    word text not null check (word = '' or (word ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$' and word !~ '([0-9][^0-9]*){7}')),
    receipts bigint not null check (receipts > 0),
    first_at timestamptz not null,
    last_at timestamptz not null,
    primary key (provider, what, word)
);

-- What a gateway's address speaks, and since when: what the one before it may have taken, it does not know again.
alter table provider_pace add column speaks text, add column speaks_since timestamptz;
