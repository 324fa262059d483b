-- The instant at which a story tells a fact: when it was recorded. Where that was on another day than the one that it
-- was recorded for, a replay has played that day, and it is the instant of the run that it was played in, `run_at`. A
-- run that began before midnight may record after it: half a day counts as the same.
create or replace function told_at(recorded_at timestamptz, recorded_for date, run_at interval)
returns timestamptz
language sql immutable parallel safe
return case
    when
        recorded_at >= wib_midnight(recorded_for)
        and recorded_at < wib_midnight(recorded_for + 1) + interval '12 hours'
        then recorded_at
    else wib_midnight(recorded_for) + run_at
end;
