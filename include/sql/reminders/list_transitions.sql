-- Grain: one thing that may become of a message.
select
    from_state,
    to_state
from message_transitions
order by from_state, to_state
