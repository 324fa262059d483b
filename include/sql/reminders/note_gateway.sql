-- Grain: one gateway: the provider that it leads to, and since when this is another one than before (null: never).
-- Parameters: provider, speaks, at.
-- Role: remind.
insert into provider_pace (provider, free_at, speaks)
values (:provider, :at, :speaks)
on conflict (provider) do update
    set
        speaks = excluded.speaks,
        speaks_since = case
            when provider_pace.speaks <> excluded.speaks then cast(:at as timestamptz)
            else provider_pace.speaks_since
        end
returning speaks_since
