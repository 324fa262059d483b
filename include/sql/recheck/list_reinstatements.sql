-- Grain: one row per approved reinstatement of a recipient of a cohort.
-- Parameters: cohort.
-- Role: recheck.
select
    r.card_number,
    e.because,
    e.reinstated_on
from reinstatements as e
inner join recipients as r on e.recipient_id = r.recipient_id
where r.cohort = :cohort
order by r.card_number
