-- Grain: one row per transition that the warehouse allows, but those of a deadline that is decided anew.
-- Parameters: none.
select
    from_state,
    fact,
    to_state
from transitions
where from_state = 'selected' or fact <> 'outcomes'
order by fact <> 'outcomes', from_state, to_state
