-- Grain: one provider that asks for a pause. Several answers that ask for it make one pause.
-- Parameters: provider, now, seconds.
-- Role: remind.
insert into provider_pace (provider, free_at)
values (:provider, cast(:now as timestamptz) + make_interval(secs => :seconds))
on conflict (provider) do update
    set
        free_at = greatest(provider_pace.free_at, excluded.free_at)
