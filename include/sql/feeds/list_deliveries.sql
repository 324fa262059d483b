-- Grain: one row per examined delivery, oldest first.
-- Parameters: platform, first_date, last_date (each may be null for all).
select
    d.platform,
    d.business_date,
    d.revision,
    d.status,
    d.reason,
    d.detail,
    coalesce(d.rows, 0) as rows,
    d.loaded,
    d.quarantined_by_reason as quarantined,
    d.duplicates,
    d.arrived_on,
    d.recorded_at,
    coalesce(d.verdict -> 'warnings', '[]') as warnings,
    (
        select count(*) from late_findings as l
        where l.delivery_id = d.delivery_id and l.kind = 'late_purchase'
    ) as late_purchases,
    d.delivery_id,
    d.verdict is not null as is_validated,
    f.delivery_id is not null as is_in_force,
    case
        when r.delivery_id is not null
            then
                jsonb_build_object(
                    'revision', s.revision, 'added', r.added, 'vanished', r.vanished, 'changed', r.changed
                )
    end as restates,
    case
        when w.delivery_id is not null then jsonb_build_object('accepted_by', w.accepted_by, 'because', w.because)
    end as waiver
from deliveries as d
left join restatements as r on d.delivery_id = r.delivery_id
left join deliveries as s on r.superseded_id = s.delivery_id
left join waivers as w on d.delivery_id = w.delivery_id
left join deliveries_in_force('infinity') as f on d.delivery_id = f.delivery_id
where
    (cast(:platform as text) is null or d.platform = :platform)
    and (cast(:first_date as date) is null or d.business_date >= :first_date)
    and (cast(:last_date as date) is null or d.business_date <= :last_date)
order by d.business_date, d.platform, d.revision, d.delivery_id
