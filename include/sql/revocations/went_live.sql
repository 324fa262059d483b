-- Grain: one row, since when the warehouse is live; none where it never was.
-- Parameters: none.
select went_live_at
from went_live
