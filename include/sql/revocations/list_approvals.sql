-- Grain: one row per person who approved this subject of the decision.
-- Parameters: decision_id, subject.
select approved_by
from approvals
where decision_id = :decision_id and subject = :subject
order by approved_by
