-- Grain: at most one row, the highest revision of a day that was rejected only for its quarantine bound.
-- Parameters: platform, business_date.
select
    d.revision,
    d.fingerprint
from deliveries as d
where
    d.platform = :platform
    and d.business_date = :business_date
    and d.reason = 'quarantine_bound_exceeded'
    and not exists (
        select
        from deliveries as a
        where
            a.platform = d.platform
            and a.business_date = d.business_date
            and a.status = 'accepted'
            and a.revision >= d.revision
    )
order by d.revision desc, d.delivery_id desc
limit 1
