-- Grain: one row per entry of the log, for the last entries. Login and role are null for entries that were sealed
-- before logins were recorded.
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
