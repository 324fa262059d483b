-- Grain: what was counted of a cohort by region before.
-- Parameters: cohort.
delete from cohort_regions
where cohort = :cohort
