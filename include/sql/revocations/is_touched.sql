-- Grain: one boolean, whether the evidence of a cohort was refreshed since late findings were last recorded.
-- Parameters: cohort.
select exists(
    select from evidence_bases as b
    where b.cohort = :cohort and b.generation > b.noticed
)
