-- Grain: one row per override of a batch's decision by a person: four eyes.
-- Parameters: digest, person.
select o.decision_id
from batches as b
inner join decisions as d on b.decision_id = d.decision_id
inner join overrides as o on o.decision_id = any(d.overrides)
where b.digest = :digest and o.overridden_by = :person
