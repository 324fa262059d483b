-- Grain: one row per counted cohort.
-- Parameters: none.
select
    cohort,
    refreshed_at,
    figures
from cohort_figures
order by cohort
