-- Grain: one row per transition that the warehouse allows, except those of a cohort that is decided again.
-- Parameters: none.
select
    from_state,
    fact,
    to_state
from transitions
where from_state = 'selected' or fact <> 'outcomes'
order by fact <> 'outcomes', from_state, to_state
