-- The hash of an entry of the audit log: of all its parts and the previous hash. Each part is hashed by itself
-- first, so that one text cannot be taken for two parts. `prakerja.blacklist.publisher.audit` computes the same
-- hash in Python.
create or replace function audit_hash(
    of_position bigint,
    entry bigint,
    at timestamptz,
    actor text,
    login text,
    role text,
    xact_id xid8,
    facts jsonb,
    previous bytea
)
returns bytea
language sql stable
return (
    select sha256(previous || string_agg(sha256(convert_to(p.part, 'UTF8')), ''::bytea order by p.number))
    from unnest(
        array[
            'prakerja.audit/2', of_position::text, entry::text, extract(epoch from at)::text, actor, login, role,
            xact_id::text, facts::text
        ]
    ) with ordinality as p (part, number)
);
