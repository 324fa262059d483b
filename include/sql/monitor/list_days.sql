-- Grain: one row per cohort, WIB day and platform with first purchases.
-- Parameters: none.
select
    cohort,
    paid_on,
    platform,
    purchases
from cohort_days
order by cohort, paid_on, platform
