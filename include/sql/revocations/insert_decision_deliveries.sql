-- Grain: one row per delivery that the decision saw in force.
-- May run twice. Parameters: decision_id, delivery_ids.
-- Role: decide.
insert into decision_deliveries (decision_id, delivery_id)
select
    :decision_id,
    unnest(cast(:delivery_ids as bigint[]))
on conflict do nothing
