-- Grain: what was counted of a cohort by day and platform before.
-- Parameters: cohort.
-- Role: ingest.
delete from cohort_days
where cohort = :cohort
