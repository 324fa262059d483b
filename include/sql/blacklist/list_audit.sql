-- Grain: one row per entry of the log, the last ones.
-- Parameters: last.
with latest as (
    select *
    from audit_log
    order by position desc
    limit :last
)

select
    position,
    at at time zone 'UTC' as at,
    actor,
    facts,
    encode(hash, 'hex') as hash
from latest
order by position
