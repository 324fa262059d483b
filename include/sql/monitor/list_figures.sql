-- Grain: one row per cohort that was counted.
-- Parameters: none.
select
    cohort,
    refreshed_at,
    figures
from cohort_figures
order by cohort
