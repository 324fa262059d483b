-- Grain: one row per suspension of a recipient of a cohort, with its lift, if any.
-- Parameters: cohort.
-- Role: recheck.
select
    r.card_number,
    s.suspended_on,
    l.lifted_on
from suspensions as s
inner join recipients as r on s.recipient_id = r.recipient_id
left join suspension_lifts as l on s.recipient_id = l.recipient_id and s.suspended_on = l.suspended_on
where r.cohort = :cohort
order by r.card_number, s.suspended_on
