-- Grain: one attempt to decide a cohort, by its evidence.
-- May run twice: the same evidence has the same id. A second decision for one deadline violates decisions_made.
-- Parameters: decision_id, cohort, roster_id, status, reason, detail, announced_on, deadline_on, settlement_days,
-- as_of, selected, purchased, held, overdue, excluded, missing_feeds, overrides, evidence_generation.
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
