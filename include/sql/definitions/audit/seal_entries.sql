-- Seal the committed entries that are not sealed yet. This runs after the transaction that added the facts, because the
-- snapshot of that transaction may be older than the last entry of the log. If a process is killed in between, the next
-- call seals its entries.
create or replace function seal_entries() returns void
language plpgsql security definer
set search_path = public, pg_temp
as $$
declare
    pending record;
    digests jsonb;
    last_position bigint;
    last_hash bytea;
    sealed_at timestamptz;
begin
    for pending in
        select p.* from audit_pending as p order by p.entry for update
    loop
        select jsonb_object_agg(
            p.fact,
            jsonb_build_object('rows', d.rows, 'columns', to_jsonb(c.columns), 'sha256', encode(d.sha256, 'hex'))
        )
        into digests
        from audit_pending_facts as p
        cross join lateral (
            select array_agg(i.column_name::text order by i.ordinal_position) as columns
            from information_schema.columns as i
            where i.table_schema = 'public' and i.table_name = p.fact and i.column_name <> 'entry'
        ) as c
        cross join lateral digest_of(p.fact, p.entry, c.columns) as d
        where p.entry = pending.entry and d.rows > 0;
        if digests is not null then -- an insert that added no row has still created an entry
            perform lock_name('audit');
            select l.position, l.hash into last_position, last_hash from audit_log as l order by l.position desc limit 1;
            last_position := coalesce(last_position, 0) + 1;
            last_hash := coalesce(last_hash, ''::bytea);
            sealed_at := clock_timestamp();
            insert into audit_log (position, entry, at, actor, login, role, xact_id, facts, previous, hash)
            values (
                last_position, pending.entry, sealed_at, pending.actor, pending.login, pending.role, pending.xact_id,
                digests, last_hash,
                audit_hash(
                    last_position, pending.entry, sealed_at, pending.actor, pending.login, pending.role,
                    pending.xact_id, digests, last_hash
                )
            );
        end if;
        delete from audit_pending_facts as p where p.entry = pending.entry;
        delete from audit_pending as p where p.entry = pending.entry;
    end loop;
end;
$$;
