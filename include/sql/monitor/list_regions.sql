-- Grain: one row per province of a cohort.
-- Parameters: cohort.
select
    region_code,
    selected,
    purchased,
    held,
    overdue,
    excluded,
    revoked,
    reinstated
from cohort_regions
where cohort = :cohort
order by region_code
