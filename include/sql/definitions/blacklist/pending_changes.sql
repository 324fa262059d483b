-- Who is to be added or withdrawn since the last version: revoked and not listed, or reinstated and listed. Nobody is
-- revoked twice, so who was withdrawn is never added again. What happened later is for a later version. `digest` is of
-- the batch that an addition was approved in, empty where it is in none.
create or replace function pending_changes(revoked_by date, reinstated_by date)
returns table (op text, recipient_id bigint, reason text, digest text)
language sql stable
begin atomic
    select
        'ADD' as op,
        r.recipient_id,
        r.reason,
        coalesce(b.digest, '') as digest
    from revocations as r
    left join batches as b on r.digest = b.digest and r.decision_id = b.decision_id
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
        'REINSTATED' as reason,
        '' as digest
    from reinstatements as e
    inner join blacklist_changes as c on e.recipient_id = c.recipient_id and c.op = 'ADD'
    where
        e.reinstated_on <= reinstated_by
        and not exists (
            select from blacklist_changes as w
            where w.recipient_id = e.recipient_id and w.op = 'WITHDRAW'
        );
end;
