-- Grain: one number, the generation of the cohort's evidence: whom deliveries that came or went could touch has it.
-- May run twice: the second time touches nobody. Before the decision it sees what the decision will see: business dates
-- up to the settlement days, purchases undone before the deadline's end; after it every delivery, undone at any time.
-- Parameters: cohort, announced_on, deadline_on, settlement_days, as_of, is_decided.
select
    refresh_evidence(
        :cohort, :announced_on, :deadline_on, :settlement_days,
        case when :is_decided then 'infinity' else cast(:deadline_on as date) + :settlement_days end, :as_of,
        case when :is_decided then 'infinity' else wib_midnight(cast(:deadline_on as date) + 1) end
    )
