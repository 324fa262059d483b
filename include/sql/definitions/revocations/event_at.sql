-- Return the instant of a fact in a recipient's story: the instant at which it was recorded. If it was recorded on
-- another day than the day that it was recorded for, a replay recorded it, and the instant is that of the replayed run,
-- `run_at` after midnight. A run that starts before midnight may record after it: half a day later is the same day.
create or replace function event_at(recorded_at timestamptz, recorded_for date, run_at interval)
returns timestamptz
language sql immutable parallel safe
return case
    when
        recorded_at >= wib_midnight(recorded_for)
        and recorded_at < wib_midnight(recorded_for + 1) + interval '12 hours'
        then recorded_at
    else wib_midnight(recorded_for) + run_at
end;
