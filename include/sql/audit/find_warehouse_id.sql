-- Grain: one row, the id of this warehouse.
-- Parameters: none.
select warehouse_id::text as warehouse_id
from public.warehouse_identity
