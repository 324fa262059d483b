-- Grain: one row per session that holds a lock which others have waited for since before `since`.
-- The login is certain; what the session calls itself is its own word. Reads no table.
select
    a.pid,
    a.usename as login,
    a.application_name as application,
    count(distinct l.pid) as waiting
from pg_locks as l
cross join lateral unnest(pg_blocking_pids(l.pid)) as b (pid)
inner join pg_stat_activity as a on b.pid = a.pid
where not l.granted and l.waitstart < :since
group by a.pid, a.usename, a.application_name
order by a.pid
