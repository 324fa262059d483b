-- Grain: one outcome per recipient and deadline: a second one breaks the primary key.
-- In the order of the key: an index that grows at its end is twice as fast.
-- Parameters: cohort, deadline_on, as_of.
-- Duty: decide.
insert into outcomes (recipient_id, cohort, deadline_on, outcome, because, delivery_id, line, entry)
select
    recipient_id,
    :cohort,
    :deadline_on,
    outcome,
    because,
    delivery_id,
    line,
    (select current_entry())
from standing(:cohort, :deadline_on, :as_of)
order by recipient_id
