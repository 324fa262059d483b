-- Grain: none; tells the planner how large the tables have become, which on a new warehouse it takes for empty.
analyze deliveries, transactions, quarantine, recipients, evidence, outcomes, revocations
