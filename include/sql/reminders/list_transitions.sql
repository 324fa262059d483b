-- Grain: one transition between two states of a message.
select
    from_state,
    to_state
from message_transitions
order by from_state, to_state
