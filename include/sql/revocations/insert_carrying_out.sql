-- Grain: one row per decision that was carried out.
-- May run twice: the second run inserts no row, and spared people stay spared.
-- Parameters: decision_id, as_of.
-- Role: decide.
insert into carried_out (decision_id, carried_out_on)
values (:decision_id, :as_of)
on conflict (decision_id) do nothing
