-- Grain: one row per approval of a batch, in the order in which they were recorded.
-- Parameters: none.
select
    a.digest,
    a.entry,
    a.approved_by,
    a.approved_on,
    a.identities_sha256,
    a.is_recorded_in_advance,
    a.recorded_at,
    a.signature
from public.approvals as a
where a.digest is not null
order by a.recorded_at, a.approved_by
