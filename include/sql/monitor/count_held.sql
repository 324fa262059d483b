-- Grain: one row per reason for which recipients are held.
-- Parameters: none. Reads the temporary table `counted` (create_counted.sql).
select
    because,
    count(*) as held
from counted
where outcome = 'held'
group by because
order by because
