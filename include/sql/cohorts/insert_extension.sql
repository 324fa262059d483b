-- Grain: one row per deadline that was extended, as the calendar tells it.
-- May run twice: what was promised once stays. Parameters: cohort, deadline_on, announced_on, because.
-- Role: decide, ingest.
insert into extensions (cohort, deadline_on, announced_on, because)
values (:cohort, :deadline_on, :announced_on, :because)
on conflict (cohort, deadline_on) do nothing
