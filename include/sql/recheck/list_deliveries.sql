-- Grain: one row per accepted delivery of any revision, of a business date from a cohort's announcement on.
-- Parameters: announced_on.
-- Role: recheck.
select
    platform,
    business_date,
    revision,
    sha256,
    arrived_on as accepted_on
from deliveries
where status = 'accepted' and business_date >= :announced_on
order by platform, business_date, revision
