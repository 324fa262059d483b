-- Grain: one row per recipient on whom the two readings differ, or whom only one of them has, and the number of all
-- such recipients.
-- Parameters: cohort, deadline_on, as_of; cards, outcomes: what the second reading found; most: the most rows.
with second as (
    select
        s.card_number,
        s.outcome
    from unnest(cast(:cards as bigint[]), cast(:outcomes as text[])) as s (card_number, outcome)
),

first as (
    select
        r.recipient_id,
        r.card_number,
        s.outcome::text as outcome,
        s.because,
        s.delivery_id,
        s.line
    from standing(:cohort, :deadline_on, :as_of) as s
    inner join recipients as r on s.recipient_id = r.recipient_id
)

select
    f.recipient_id,
    lpad(coalesce(f.card_number, s.card_number)::text, 16, '0') as card_number,
    f.outcome as first_outcome,
    f.because as first_because,
    f.delivery_id as first_delivery_id,
    f.line as first_line,
    s.outcome as second_outcome,
    d.platform,
    d.business_date,
    count(*) over () as differing
from first as f
full join second as s on f.card_number = s.card_number
left join deliveries as d on f.delivery_id = d.delivery_id
where f.outcome is distinct from s.outcome
order by coalesce(f.card_number, s.card_number)
limit :most
