-- Grain: one row per delivery of a platform that was looked at before.
-- Parameters: platform.
select
    business_date,
    revision,
    status,
    fingerprint,
    sha256
from deliveries
where platform = :platform
