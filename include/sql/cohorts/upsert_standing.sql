-- Grain: one row per cohort and day: the cohort's standing after that day's intake.
-- May run twice: the day's row is overwritten from the deliveries known on that day.
-- Parameters: cohort, deadline_on, as_of.
-- Role: ingest.
insert into standings (cohort, as_of, selected, purchased, held, at_risk, overdue, excluded)
select
    :cohort,
    :as_of,
    count(*),
    count(*) filter (where s.outcome = 'purchased'),
    count(*) filter (where s.outcome = 'held'),
    count(*) filter (where s.outcome = 'overdue' and cast(:as_of as date) <= cast(:deadline_on as date)),
    count(*) filter (where s.outcome = 'overdue' and cast(:as_of as date) > cast(:deadline_on as date)),
    count(*) filter (where s.outcome = 'excluded')
from standing(:cohort, :deadline_on, :as_of) as s
on conflict (cohort, as_of) do update
    set
        selected = excluded.selected,
        purchased = excluded.purchased,
        held = excluded.held,
        at_risk = excluded.at_risk,
        overdue = excluded.overdue,
        excluded = excluded.excluded
returning selected, purchased, held, at_risk, overdue, excluded
