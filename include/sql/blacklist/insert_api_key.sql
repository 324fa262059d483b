-- Grain: one API key.
-- Parameters: api_key_id, consumer, secret_sha256, scopes, per_minute, expires_on, created_by.
-- Role: publish.
insert into api_keys (api_key_id, consumer, secret_sha256, scopes, per_minute, expires_on, created_by)
values (:api_key_id, :consumer, :secret_sha256, :scopes, :per_minute, :expires_on, :created_by)
