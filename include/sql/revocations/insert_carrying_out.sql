-- Grain: one row per decision that was carried out.
-- May run twice: the second time gives no row, and whoever was spared stays so.
-- Parameters: decision_id, clock.
-- Duty: decide.
insert into carried_out (decision_id, carried_out_on)
values (:decision_id, :clock)
on conflict (decision_id) do nothing
