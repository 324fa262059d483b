-- Grain: one decision attempt on distinct evidence.
-- May run twice: the same evidence is the same id; a second carried decision of a cohort breaks decisions_made.
-- Role: decide.
insert into decisions (
    decision_id, cohort, roster_id, status, reason, detail, announced_on, deadline_on, settlement_days, as_of,
    selected, purchased, held, overdue, excluded, missing_feeds, overrides,
    evidence_generation
)
values (
    :decision_id, :cohort, :roster_id, :status, :reason, :detail, :announced_on, :deadline_on, :settlement_days, :as_of,
    :selected, :purchased, :held, :overdue, :excluded, :missing_feeds, :overrides,
    :evidence_generation
)
on conflict (decision_id) do nothing
