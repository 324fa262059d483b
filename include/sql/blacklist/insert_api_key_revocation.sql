-- Grain: one revocation of an API key, if there is such a key. Twice is once.
-- Parameters: api_key_id, because, revoked_by.
-- Role: publish.
insert into api_key_revocations (api_key_id, because, revoked_by)
select
    k.api_key_id,
    :because,
    :revoked_by
from api_keys as k
where k.api_key_id = :api_key_id
on conflict (api_key_id) do nothing
