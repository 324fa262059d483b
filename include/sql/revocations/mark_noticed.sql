-- Grain: one row, the base of the cohort's evidence: late findings are recorded up to its generation.
-- May run twice: the second run updates no row.
-- Parameters: cohort.
-- Role: decide.
update evidence_bases
set noticed = generation
where cohort = :cohort and noticed <> generation
