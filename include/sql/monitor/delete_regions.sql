-- Grain: one row per province of a cohort, as counted before. Safe to repeat: insert_regions.sql counts again.
-- Parameters: cohort.
-- Role: ingest.
delete from cohort_regions
where cohort = :cohort
