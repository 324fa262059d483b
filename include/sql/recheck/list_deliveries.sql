-- Grain: one row per accepted delivery of every revision, for business dates from a cohort's announcement.
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
