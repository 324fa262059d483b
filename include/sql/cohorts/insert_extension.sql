-- Grain: one row per extended deadline of the calendar.
-- May run twice: a promised deadline stays. Parameters: cohort, deadline_on, announced_on, because.
-- Role: decide, ingest.
insert into extensions (cohort, deadline_on, announced_on, because)
values (:cohort, :deadline_on, :announced_on, :because)
on conflict (cohort, deadline_on) do nothing
