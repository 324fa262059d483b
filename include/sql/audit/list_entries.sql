-- Grain: one row per entry of the log, the last ones. Login and role are null where the entry was sealed before they
-- were recorded.
-- Parameters: last.
with latest as (
    select *
    from public.audit_log
    order by position desc
    limit :last
)

select
    position,
    at at time zone 'UTC' as at,
    actor,
    login,
    role,
    xact_id::text as xact_id,
    facts,
    encode(hash, 'hex') as hash
from latest
order by position
