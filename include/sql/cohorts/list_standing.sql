-- Grain: one row per asked recipient of an undecided cohort, where they stand by the latest intake.
-- Parameters: recipient_ids; cohort, deadline_on, as_of.
select
    recipient_id,
    outcome,
    because
from standing(:cohort, :deadline_on, :as_of)
where recipient_id = any(cast(:recipient_ids as bigint[]))
