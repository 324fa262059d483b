-- Grain: one row per decision that was carried out.
-- May run twice: the second time gives no row, and whoever was spared stays so.
-- Parameters: decision_id, as_of.
-- Role: decide.
insert into carried_out (decision_id, carried_out_on)
values (:decision_id, :as_of)
on conflict (decision_id) do nothing
