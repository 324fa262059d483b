-- Grain: none. Refreshes the planner's statistics: on a new warehouse it assumes that the tables are empty.
analyze deliveries, transactions, quarantine, recipients, evidence, outcomes, revocations
