-- Grain: one row, the latest version that an occasion published, or none.
-- Parameters: occasion.
select max(version) as version
from blacklist_versions
where occasion = :occasion
having max(version) is not null
