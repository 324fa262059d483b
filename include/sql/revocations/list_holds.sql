-- Grain: one row per recipient whom a decision holds, with the row that caused the hold and its resolution.
-- Parameters: cohort, or null for all.
select
    o.cohort,
    lpad(r.card_number::text, 16, '0') as card_number,
    o.because,
    x.first_outcome,
    x.second_outcome,
    y.platform as first_platform,
    y.business_date as first_business_date,
    x.first_line,
    z.platform as second_platform,
    z.business_date as second_business_date,
    x.second_line,
    v.platform,
    v.business_date,
    v.revision,
    o.line,
    q.reasons,
    q.delivered,
    f.recipient_id is not null as is_resolvable,
    h.is_purchased,
    h.because as resolved_because,
    h.resolved_by,
    h.resolved_on,
    c.recipient_id is not null as is_revoked
from outcomes as o
inner join recipients as r on o.recipient_id = r.recipient_id
left join deliveries as v on o.delivery_id = v.delivery_id
left join quarantine as q on o.delivery_id = q.delivery_id and o.line = q.line
left join late_findings as f
    on
        o.recipient_id = f.recipient_id
        and f.kind = 'hold_resolvable'
        and (f.deadline_on is null or o.deadline_on = f.deadline_on)
left join
    lateral (
        -- A purchase that was found counts for every later deadline. No purchase counts for its own deadline only.
        select n.*
        from hold_resolutions as n
        where n.recipient_id = o.recipient_id and (n.is_purchased or n.deadline_on = o.deadline_on)
        order by n.is_purchased desc, n.deadline_on desc
        limit 1
    ) as h
    on true
left join revocations as c on o.recipient_id = c.recipient_id
left join decisions as m on o.cohort = m.cohort and o.deadline_on = m.deadline_on and m.status = 'made'
left join reading_differences as x on m.decision_id = x.decision_id and o.recipient_id = x.recipient_id
left join deliveries as y on x.first_delivery_id = y.delivery_id
left join deliveries as z on x.second_delivery_id = z.delivery_id
where
    o.outcome = 'held'
    and (cast(:cohort as integer) is null or o.cohort = :cohort)
    -- only the decision for the latest deadline
    and not exists (
        select from outcomes as n where n.recipient_id = o.recipient_id and n.deadline_on > o.deadline_on
    )
order by o.cohort, h.recipient_id is not null, v.business_date, v.platform, o.line, r.card_number
