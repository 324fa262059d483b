-- Grain: one row, the number of recipients by outcome for a decision that is being made.
-- Parameters: cohort, deadline_on, as_of.
select
    count(*) filter (where outcome = 'purchased') as purchased,
    count(*) filter (where outcome = 'held') as held,
    count(*) filter (where outcome = 'overdue') as overdue,
    count(*) filter (where outcome = 'excluded') as excluded
from standing(:cohort, :deadline_on, :as_of)
