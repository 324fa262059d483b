-- Grain: one row per line of the roster being loaded. Dropped at the end of the transaction.
create temporary table staged_recipients (
    line bigint not null,
    card_number bigint not null,
    nik bigint not null,
    contact bytea not null,
    phone_token text not null,
    email_token text not null,
    region_code text not null
) on commit drop
