-- Grain: one outcome per recipient, ever: a second one breaks the primary key.
-- Parameters: decision_id.
insert into outcomes (recipient_id, decision_id, outcome, because, delivery_id, line)
select
    recipient_id,
    :decision_id,
    outcome,
    because,
    delivery_id,
    line
from decided
