-- Grain: one row per reason for which recipients are held.
-- Parameters: none; of `counted`.
select
    because,
    count(*) as held
from counted
where outcome = 'held'
group by because
order by because
