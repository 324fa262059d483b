-- Grain: one row per freeze in effect for a cohort on a day.
-- Parameters: cohort, day.
select
    freeze_id,
    cohort,
    starts_on,
    ends_on,
    because,
    frozen_by
from freezes_on(:cohort, :day)
