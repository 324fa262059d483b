-- Grain: one row per given delivery with its validation result.
-- Parameters: delivery_ids.
select
    d.delivery_id,
    d.verdict
from deliveries as d
where d.delivery_id = any(:delivery_ids)
