-- Grain: none; tells the planner of a cohort's outcomes, which it has not seen.
analyze outcomes
