-- Grain: one row, the list that was published at the end of a WIB day; no row before the first version.
-- Parameters: day.
select
    v.version,
    v.created_at,
    (
        select count(*) filter (where c.op = 'ADD') - count(*) filter (where c.op = 'WITHDRAW')
        from blacklist_changes as c where c.version <= v.version
    ) as entries
from blacklist_versions as v
where v.created_at < wib_midnight(cast(:day as date) + 1)
order by v.version desc
limit 1
