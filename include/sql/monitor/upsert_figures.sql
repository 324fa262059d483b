-- Grain: one row per cohort.
-- Parameters: cohort, refreshed_at, counted_from, figures.
-- Role: ingest.
insert into cohort_figures (cohort, refreshed_at, counted_from, figures)
values (:cohort, :refreshed_at, :counted_from, cast(:figures as jsonb))
on conflict (cohort) do update
    set
        refreshed_at = excluded.refreshed_at,
        counted_from = excluded.counted_from,
        figures = excluded.figures
