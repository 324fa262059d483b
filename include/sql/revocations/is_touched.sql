-- Grain: one boolean, whether deliveries could have touched anybody of a cohort since late truth was last looked for.
-- Parameters: cohort.
select exists(
    select from evidence_bases as b
    where b.cohort = :cohort and b.generation > b.noticed
)
