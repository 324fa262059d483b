-- Grain: one row per freeze in effect on a day, of one cohort or (null) of all.
-- Parameters: day; cohort, in which the freeze must be in effect, or null for any.
select
    f.freeze_id,
    f.cohort,
    f.ends_on,
    f.because
from freezes as f
left join freeze_lifts as l on f.freeze_id = l.freeze_id
where
    (cast(:cohort as integer) is null or f.cohort is null or f.cohort = :cohort)
    and f.starts_on <= :day
    and (f.ends_on is null or f.ends_on >= :day)
    and (l.lifted_on is null or l.lifted_on > :day)
order by f.freeze_id
