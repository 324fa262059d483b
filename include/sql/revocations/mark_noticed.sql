-- Grain: one row, the cohort's evidence: late truth has been looked for up to its generation.
-- May run twice. Parameters: cohort.
-- Role: decide.
update evidence_bases
set noticed = generation
where cohort = :cohort and noticed <> generation
