-- Grain: one row per given recipient of an undecided cohort with their standing as of the latest intake.
-- Parameters: recipient_ids; cohort, deadline_on, as_of.
select
    recipient_id,
    outcome,
    because
from standing(:cohort, :deadline_on, :as_of)
where recipient_id = any(cast(:recipient_ids as bigint[]))
