-- Grain: one row per validated delivery, the latest business date first.
-- Parameters: none.
select
    d.delivery_id,
    d.platform,
    d.business_date,
    d.revision,
    d.status,
    d.reason,
    d.detail,
    d.rows,
    d.loaded,
    d.quarantined,
    d.duplicates,
    coalesce(d.verdict -> 'warnings', '[]') as warnings,
    jsonb_array_length(d.verdict -> 'expectations') as rules,
    jsonb_array_length(
        jsonb_path_query_array(d.verdict, '$.expectations[*] ? (@.failed > 0 || @.success == false)')
    ) as unmet
from deliveries as d
where d.verdict is not null
order by d.business_date desc, d.revision desc, d.delivery_id desc
