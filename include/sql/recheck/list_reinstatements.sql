-- Grain: one row per recipient of a cohort whom people have approved to be reinstated.
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
