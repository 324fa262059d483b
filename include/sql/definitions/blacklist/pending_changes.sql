-- Who is to be added or withdrawn since the last version: revoked and not listed, or reinstated and listed. Nobody is
-- revoked twice, so who was withdrawn is never added again, but for whom a NIK was corrected that is listed: withdrawn
-- under the one and added under the other, both or neither. What happened later is for a later version.
-- `digest` is of the batch that a change was approved in, empty where it is in none, `appeal` where an appeal was
-- upheld; the other NIK of a person who is listed has none. `nik_correction_id` says which
-- NIK the subject is of, `by_correction_id` which correction the change rests on (0: on none).
create or replace function pending_changes(revoked_by date, reinstated_by date)
returns table (
    op text,
    recipient_id bigint,
    reason text,
    digest text,
    nik_correction_id bigint,
    by_correction_id bigint,
    is_replacement boolean
)
language sql stable
begin atomic
    with replaced as (
        select
            l.recipient_id,
            l.nik_correction_id,
            n.correction_id
        from niks_in_force as n
        inner join corrections as c on n.correction_id = c.correction_id
        inner join correction_decisions as d on c.request = d.request
        inner join listed_changes as l on n.recipient_id = l.recipient_id
        inner join recipients as r on n.recipient_id = r.recipient_id
        left join correction_values as v on l.nik_correction_id = v.correction_id
        where
            n.correction_id <> l.nik_correction_id
            and n.nik <> coalesce(v.nik, r.nik)
            and d.decided_on <= reinstated_by
            and not exists (
                select from reinstatements as e
                where e.recipient_id = n.recipient_id and e.reinstated_on <= reinstated_by
            )
    )

    select
        'ADD' as op,
        r.recipient_id,
        r.reason,
        coalesce(b.digest, '') as digest,
        coalesce(n.correction_id, 0) as nik_correction_id,
        coalesce(n.correction_id, 0) as by_correction_id,
        false as is_replacement
    from revocations as r
    left join batches as b on r.digest = b.digest and r.decision_id = b.decision_id
    left join niks_in_force as n on r.recipient_id = n.recipient_id
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
        coalesce(e.digest, case e.because when 'appeal' then 'appeal' end, '') as digest,
        l.nik_correction_id,
        0 as by_correction_id,
        false as is_replacement
    from reinstatements as e
    inner join listed_changes as l on e.recipient_id = l.recipient_id
    where e.reinstated_on <= reinstated_by
    union all
    select
        'WITHDRAW' as op,
        p.recipient_id,
        'REINSTATED' as reason,
        '' as digest,
        p.nik_correction_id,
        p.correction_id as by_correction_id,
        true as is_replacement
    from replaced as p
    union all
    select
        'ADD' as op,
        p.recipient_id,
        v.reason,
        '' as digest,
        p.correction_id as nik_correction_id,
        p.correction_id as by_correction_id,
        true as is_replacement
    from replaced as p
    inner join revocations as v on p.recipient_id = v.recipient_id;
end;
