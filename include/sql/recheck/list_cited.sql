-- Grain: one row per delivery cited by a decision of a cohort.
-- Parameters: cohort.
-- Role: recheck.
select
    d.decision_id,
    v.platform,
    v.business_date,
    v.revision,
    v.sha256
from decisions as d
inner join decision_deliveries as c on d.decision_id = c.decision_id
inner join deliveries as v on c.delivery_id = v.delivery_id
where d.cohort = :cohort and d.status = 'made'
order by d.decision_id, v.platform, v.business_date
