-- One row per list that was published: a version's under its key, and under an earlier one while that overlaps. What
-- lies in the published folder counts where it has this digest; the next version is made from it.
create table published_lists (
    version bigint not null references blacklist_versions,
    key_id text not null,
    result_sha256 text not null check (result_sha256 ~ '^[0-9a-f]{64}$'),
    recorded_at timestamptz not null default now(),
    primary key (version, key_id)
);

-- Who is to be added or withdrawn since the last version: revoked and not listed, or reinstated and listed. Nobody is
-- revoked twice, so who was withdrawn is never added again. What happened later is for a later version.
create function pending_changes(revoked_by date, reinstated_by date)
returns table (op text, recipient_id bigint, reason text)
language sql stable
begin atomic
    select
        'ADD' as op,
        r.recipient_id,
        r.reason
    from revocations as r
    where
        r.revoked_on <= revoked_by
        and not exists (select from reinstatements as e where e.recipient_id = r.recipient_id)
        and not exists (
            select from blacklist_changes as c
            where c.recipient_id = r.recipient_id and c.op = 'ADD'
        )
    union all
    select
        'WITHDRAW' as op,
        e.recipient_id,
        'REINSTATED' as reason
    from reinstatements as e
    inner join blacklist_changes as c on e.recipient_id = c.recipient_id and c.op = 'ADD'
    where
        e.reinstated_on <= reinstated_by
        and not exists (
            select from blacklist_changes as w
            where w.recipient_id = e.recipient_id and w.op = 'WITHDRAW'
        );
end;

do $$
begin
    if exists (select from pg_roles where rolname = 'prakerja_app') then
        grant select, insert on published_lists to prakerja_app;
        if current_setting('server_version_num')::integer >= 170000 then
            execute 'grant maintain on published_lists to prakerja_app';
        end if;
    end if;
end;
$$;
