-- Grain: one row per recipient of a cohort, with the outcome of its decision, otherwise the standing of its latest
-- intake. The table is temporary and dropped at the end of the transaction.
-- Parameters: cohort; decided_deadline_on, or null; deadline_on and as_of of the standing.
create temporary table counted on commit drop as
select
    o.recipient_id,
    o.outcome,
    o.because,
    o.delivery_id,
    o.line
from outcomes as o
where o.cohort = :cohort and o.deadline_on = cast(:decided_deadline_on as date)
union all
select
    s.recipient_id,
    s.outcome,
    s.because,
    s.delivery_id,
    s.line
from standing(:cohort, :deadline_on, :as_of) as s
where cast(:decided_deadline_on as date) is null
