-- Grain: one row per attempt at a decision that was read twice.
-- May run twice: the same evidence is the same attempt. Parameters: decision_id, recipients, differing, result_sha256.
-- Role: decide.
insert into second_readings (decision_id, recipients, differing, result_sha256)
values (:decision_id, :recipients, :differing, :result_sha256)
on conflict (decision_id) do nothing
