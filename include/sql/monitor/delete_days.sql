-- Grain: one row per WIB day and platform of a cohort, as counted before. Safe to repeat: insert_days.sql counts again.
-- Parameters: cohort.
-- Role: ingest.
delete from cohort_days
where cohort = :cohort
