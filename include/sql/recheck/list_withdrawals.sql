-- Grain: one row per withdrawn recipient of a cohort.
-- Parameters: cohort.
-- Role: recheck.
select
    r.card_number,
    w.withdrawn_on
from withdrawals as w
inner join recipients as r on w.recipient_id = r.recipient_id
where r.cohort = :cohort
order by r.card_number
