-- Grain: none. Update the planner's statistics after a cohort's outcomes were inserted.
-- Parameters: none.
analyze outcomes
