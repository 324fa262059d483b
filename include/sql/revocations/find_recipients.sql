-- Grain: one row per recipient whose card or NIK is in `numbers`, or whose id is in `recipient_ids`, with the latest
-- outcome if there is one. A spared recipient has the row that spared them, unless a suspension or withdrawal did.
-- Parameters: numbers, recipient_ids.
with asked as materialized (
    select r.recipient_id
    from recipients as r
    where
        r.card_number = any(cast(:numbers as bigint[]))
        or r.recipient_id = any(cast(:recipient_ids as bigint[]))
    union
    select r.recipient_id
    from recipients as r
    where
        r.nik = any(cast(:numbers as bigint[]))
        and not exists (select from niks_in_force as n where n.recipient_id = r.recipient_id)
    union
    select n.recipient_id
    from niks_in_force as n
    where n.nik = any(cast(:numbers as bigint[]))
)

select
    r.recipient_id,
    r.card_number,
    coalesce(k.nik, r.nik) as nik,
    r.cohort,
    o.deadline_on as decided_deadline_on,
    o.outcome,
    o.because,
    v.recipient_id is not null as is_revoked,
    e.because as reinstated_because,
    exists(
        select from hold_resolutions as h
        where h.recipient_id = r.recipient_id and h.is_purchased
    ) as is_found_purchased,
    f.recipient_id is not null as is_spared,
    t.line is not null as is_spared_by_purchase,
    d.platform as spared_platform,
    d.business_date as spared_business_date,
    d.revision as spared_revision,
    f.line as spared_line,
    (select max(s.as_of) from standings as s where s.cohort = r.cohort) as standing_as_of
from asked as a
inner join recipients as r on a.recipient_id = r.recipient_id
left join niks_in_force as k on a.recipient_id = k.recipient_id
left join
    lateral (
        select
            n.deadline_on,
            n.outcome,
            n.because
        from outcomes as n
        where n.recipient_id = r.recipient_id
        order by n.deadline_on desc
        limit 1
    ) as o
    on true
left join revocations as v on r.recipient_id = v.recipient_id
left join reinstatements as e on r.recipient_id = e.recipient_id
left join late_findings as f on r.recipient_id = f.recipient_id and f.kind = 'spared'
left join deliveries as d on f.delivery_id = d.delivery_id
left join transactions as t on r.card_number = t.card_number and f.delivery_id = t.delivery_id and f.line = t.line
