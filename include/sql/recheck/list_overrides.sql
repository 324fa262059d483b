-- Grain: one row per platform and date with a missing delivery that a person answered for.
-- Parameters: cohort.
-- Role: recheck.
select
    split_part(m.missing, ' ', 1) as platform,
    cast(split_part(m.missing, ' ', 2) as date) as business_date,
    min(o.overridden_on) as overridden_on
from decisions as d
inner join overrides as o on d.decision_id = o.decision_id
cross join lateral unnest(d.missing_feeds) as m (missing)
where d.cohort = :cohort and d.reason = 'feeds_missing'
group by m.missing
order by m.missing
