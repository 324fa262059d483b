-- Grain: one row per change of a version, with the columns of `list_entries`. `proof` is the digest of the batch that
-- was approved, `appeal`, or `none`.
-- Parameters: version.
select
    c.op,
    coalesce(k.nik, p.nik) as nik,
    p.cohort,
    c.reason,
    extract(epoch from r.effective_at)::bigint as effective_at,
    r.revoked_on,
    r.decision_id,
    p.card_number,
    case
        when c.op = 'ADD' then coalesce(r.digest, 'none')
        else coalesce(e.digest, case e.because when 'appeal' then 'appeal' end, 'none')
    end as proof
from blacklist_changes as c
inner join revocations as r on c.recipient_id = r.recipient_id
inner join recipients as p on c.recipient_id = p.recipient_id
left join reinstatements as e on c.recipient_id = e.recipient_id
left join correction_values as k on c.nik_correction_id = k.correction_id
where c.version = :version
-- of one subject, who leaves comes before who is added under the same NIK
order by c.op desc
