-- Grain: one outcome per recipient and deadline: a second one breaks the primary key.
-- Whoever the two readings differ on is held, by the row that the second one goes by, else the first.
-- In the order of the key: an index that grows at its end is twice as fast.
-- Parameters: cohort, deadline_on, as_of, decision_id.
-- Role: decide.
insert into outcomes (recipient_id, cohort, deadline_on, outcome, because, delivery_id, line, entry)
select
    s.recipient_id,
    :cohort,
    :deadline_on,
    case when f.recipient_id is null then s.outcome else 'held' end,
    case when f.recipient_id is null then s.because else 'readings_disagree' end,
    coalesce(f.second_delivery_id, s.delivery_id),
    case when f.second_delivery_id is null then s.line else f.second_line end,
    (select current_entry())
from standing(:cohort, :deadline_on, :as_of) as s
left join reading_differences as f on s.recipient_id = f.recipient_id and f.decision_id = :decision_id
order by s.recipient_id
