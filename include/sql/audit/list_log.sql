-- Grain: one row per entry of the log, complete and in order, with the texts that are hashed.
-- Parameters: none.
select
    position,
    entry,
    extract(epoch from at)::text as epoch,
    at as sealed_at,
    to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') as at,
    actor,
    login,
    role,
    xact_id::text as xact_id,
    facts,
    facts::text as facts_text,
    previous,
    hash
from public.audit_log
order by position
