-- Grain: one boolean, whether an attempt was overridden on or before a day.
-- Parameters: decision_id, as_of.
select exists(
    select from overrides as o
    where o.decision_id = :decision_id and o.overridden_on <= :as_of
)
