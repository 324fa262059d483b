-- Grain: one provider's next free instant, advanced by the seconds that have just been claimed; returns the seconds
-- until then. All senders of all runs share it. Zero seconds only read it.
-- Parameters: provider, now, seconds.
-- Role: remind.
insert into provider_pace (provider, free_at)
values (:provider, cast(:now as timestamptz) + make_interval(secs => :seconds))
on conflict (provider) do update
    set
        free_at = greatest(provider_pace.free_at, cast(:now as timestamptz)) + make_interval(secs => :seconds)
returning extract(epoch from free_at - cast(:now as timestamptz)) as free_after
