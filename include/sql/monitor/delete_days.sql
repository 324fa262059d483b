-- Grain: what was counted of a cohort by day and platform before.
-- Parameters: cohort.
-- Duty: ingest.
delete from cohort_days
where cohort = :cohort
