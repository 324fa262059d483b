-- Grain: one row per API key that is not revoked.
select
    k.api_key_id,
    k.secret_sha256,
    k.scopes,
    k.per_minute,
    k.expires_on
from api_keys as k
where
    not exists (
        select from api_key_revocations as r
        where r.api_key_id = k.api_key_id
    )
order by k.api_key_id
