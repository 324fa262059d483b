-- Grain: one row, the carried decision of a cohort, or none.
-- Parameters: cohort.
select
    decision_id,
    as_of,
    announced_on,
    deadline_on,
    settlement_days,
    selected,
    purchased,
    held,
    overdue,
    excluded
from decisions
where cohort = :cohort and status = 'made'
