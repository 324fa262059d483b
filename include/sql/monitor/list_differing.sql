-- Grain: one row per recipient who is held since two readings differ on them, and whom nobody has looked into.
-- Parameters: most, so many rows.
-- Role: show.
select
    d.cohort,
    lpad(r.card_number::text, 16, '0') as card_number,
    f.first_outcome,
    f.second_outcome,
    coalesce(s.platform, v.platform) as platform,
    coalesce(s.business_date, v.business_date) as business_date,
    coalesce(f.second_line, f.first_line) as line,
    count(*) over () as people
from reading_differences as f
inner join decisions as d on f.decision_id = d.decision_id and d.status = 'made'
inner join outcomes as o on f.recipient_id = o.recipient_id and d.deadline_on = o.deadline_on
inner join recipients as r on f.recipient_id = r.recipient_id
left join deliveries as s on f.second_delivery_id = s.delivery_id
left join deliveries as v on f.first_delivery_id = v.delivery_id
where
    o.because = 'readings_disagree'
    and not exists (
        select from hold_resolutions as h
        where h.recipient_id = f.recipient_id and (h.is_purchased or h.deadline_on = d.deadline_on)
    )
order by d.cohort, r.card_number
limit :most
