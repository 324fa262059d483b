-- Grain: one row, the instant since which the warehouse is live, or none if it never was.
-- Parameters: none.
select went_live_at
from went_live
