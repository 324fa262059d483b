-- Grain: one row per person listed in a version, under the NIK that was in force then. A contract's list takes the
-- columns that its row has, whose values stay as long as a person is listed.
-- Parameters: version.
select
    coalesce(k.nik, p.nik) as nik,
    p.cohort,
    r.reason,
    extract(epoch from r.effective_at)::bigint as effective_at,
    r.revoked_on,
    r.decision_id
from blacklist_changes as c
inner join revocations as r on c.recipient_id = r.recipient_id
inner join recipients as p on c.recipient_id = p.recipient_id
left join correction_values as k on c.nik_correction_id = k.correction_id
where
    c.op = 'ADD' and c.version <= :version
    and not exists (
        select from blacklist_changes as w
        where
            w.recipient_id = c.recipient_id and w.nik_correction_id = c.nik_correction_id
            and w.op = 'WITHDRAW' and w.version <= :version
    )
