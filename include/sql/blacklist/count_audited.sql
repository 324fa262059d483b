-- Grain: one row, how many entries the log has, and how many rows they tell of.
select
    count(distinct l.position) as entries,
    coalesce(sum((f.value ->> 'rows')::bigint), 0)::bigint as rows
from audit_log as l
left join lateral jsonb_each(l.facts) as f on true
