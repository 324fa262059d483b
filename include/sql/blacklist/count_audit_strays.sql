-- Grain: one row per audited table, how many of its rows are in no entry of the log.
select
    fact,
    audit_strays(fact) as strays
from audited
order by fact
