-- What is wrong with the log, or with the facts that it speaks of; no row where all is well.
create or replace function audit_problems() returns table (problem text)
language plpgsql stable
as $$
begin
    return query
    with linked as (
        select
            l.*,
            lag(l.position) over (order by l.position) as before_position,
            lag(l.hash) over (order by l.position) as before_hash
        from audit_log as l
    )
    select case
        when k.position <> coalesce(k.before_position, 0) + 1
            then format('entries are missing before position %s of the log', k.position)
        when k.previous <> coalesce(k.before_hash, '\x'::bytea)
            then format('position %s of the log does not follow the one before', k.position)
        else format('position %s of the log was edited', k.position)
    end
    from linked as k
    where k.position <> coalesce(k.before_position, 0) + 1
        or k.previous <> coalesce(k.before_hash, '\x'::bytea)
        or k.hash <> audit_hash(k.position, k.entry, k.at, k.actor, k.facts, k.previous)
    order by k.position;

    return query
    select format(
        '%s of position %s (%s, %s): sealed %s rows, found %s%s', f.key, l.position, l.actor,
        to_char(l.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), f.value ->> 'rows', d.rows,
        case when (f.value ->> 'rows')::bigint = d.rows then ' that are not the same' else '' end
    )
    from audit_log as l
    cross join lateral jsonb_each(l.facts) as f
    cross join lateral digest_of(
        f.key, l.entry, array(select jsonb_array_elements_text(f.value -> 'columns'))
    ) as d
    where d.rows <> (f.value ->> 'rows')::bigint or encode(d.sha256, 'hex') <> f.value ->> 'sha256'
    order by l.position, f.key;
end;
$$;
