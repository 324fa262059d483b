-- Grain: one row per API key, with what was looked up with it.
with used as (
    select
        l.api_key_id,
        count(*) as lookups,
        sum(l.asked) as asked,
        max(l.looked_up_at) as last_used_at
    from lookups as l
    group by l.api_key_id
)

select
    k.api_key_id,
    k.consumer,
    k.scopes,
    k.per_minute,
    k.expires_on,
    k.created_by,
    k.created_at,
    r.revoked_at,
    coalesce(u.lookups, 0) as lookups,
    coalesce(u.asked, 0) as asked,
    u.last_used_at
from api_keys as k
left join api_key_revocations as r on k.api_key_id = r.api_key_id
left join used as u on k.api_key_id = u.api_key_id
order by k.created_at, k.api_key_id
