-- Grain: one row per freeze, the latest first.
-- Parameters: none.
select
    f.freeze_id,
    f.cohort,
    f.starts_on,
    f.ends_on,
    f.because,
    f.frozen_by,
    l.lifted_on,
    l.lifted_by,
    l.because as lifted_because
from freezes as f
left join freeze_lifts as l on f.freeze_id = l.freeze_id
order by f.freeze_id desc
