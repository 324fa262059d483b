-- Grain: one row per session that blocks others which have waited since before `since`.
-- The login is certain; the session sets the application name itself. Reads no table of the warehouse.
-- Parameters: since.
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
