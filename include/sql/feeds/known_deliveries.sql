-- Grain: one row per examined delivery of a platform.
-- Parameters: platform.
select
    business_date,
    revision,
    status,
    fingerprint,
    sha256
from deliveries
where platform = :platform
