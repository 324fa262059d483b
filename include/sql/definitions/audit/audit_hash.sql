-- The hash of an entry of the audit log, over all of it and the hash before.
create or replace function audit_hash(
    of_position bigint, entry bigint, at timestamptz, actor text, facts jsonb, previous bytea
)
returns bytea
language sql stable
return sha256(
    previous
    || convert_to(
        of_position || ' ' || entry || ' ' || extract(epoch from at) || ' ' || actor || ' ' || facts::text, 'UTF8'
    )
);
