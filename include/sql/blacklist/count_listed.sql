-- Grain: one number, the people whom a version lists.
-- Parameters: version.
select count(*) filter (where c.op = 'ADD') - count(*) filter (where c.op = 'WITHDRAW')
from blacklist_changes as c
where c.version <= :version
