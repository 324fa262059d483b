-- Grain: what was counted of a cohort by region before.
-- Parameters: cohort.
-- Role: ingest.
delete from cohort_regions
where cohort = :cohort
