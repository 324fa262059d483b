-- Grain: one number, the generation of the cohort's evidence. It marks each recipient whom the latest changes of
-- deliveries could affect.
-- May run twice: the second run affects nobody. Before the decision it reads what the decision will read: business
-- dates up to the settlement days, and undoings before the deadline's end. After it, every delivery and every undoing.
-- Parameters: cohort, announced_on, deadline_on, settlement_days, as_of, is_decided.
select
    refresh_evidence(
        :cohort, :announced_on, :deadline_on, :settlement_days,
        case when :is_decided then 'infinity' else cast(:deadline_on as date) + :settlement_days end, :as_of,
        case when :is_decided then 'infinity' else wib_midnight(cast(:deadline_on as date) + 1) end
    )
