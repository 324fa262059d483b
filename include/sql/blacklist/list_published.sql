-- Grain: one row per list that was published, in order.
select
    version,
    key_id,
    contract,
    result_sha256
from public.published_lists
order by version, key_id, contract
