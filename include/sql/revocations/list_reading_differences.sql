-- Grain: one row per recipient of a decision on whom its two readings differ, with the result of the second one.
-- Parameters: decision_id, recipient_ids.
select
    f.recipient_id,
    f.second_outcome,
    d.platform,
    d.business_date,
    f.second_line
from reading_differences as f
left join deliveries as d on f.second_delivery_id = d.delivery_id
where f.decision_id = :decision_id and f.recipient_id = any(cast(:recipient_ids as bigint[]))
