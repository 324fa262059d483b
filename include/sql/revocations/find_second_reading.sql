-- Grain: one row, how many recipients of a decision were read a second time, and on how many the readings differ. No
-- row for a decision from before there was a second reading.
-- Parameters: decision_id.
select
    recipients,
    differing
from second_readings
where decision_id = :decision_id
