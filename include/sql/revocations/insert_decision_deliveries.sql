-- Grain: one row per delivery in force that the decision saw.
-- May run twice: the second run inserts no row.
-- Parameters: decision_id, delivery_ids.
-- Role: decide.
insert into decision_deliveries (decision_id, delivery_id)
select
    :decision_id,
    unnest(cast(:delivery_ids as bigint[]))
on conflict do nothing
