-- Grain: one row per cohort with appeals, the number that are open, upheld and dismissed.
-- Parameters: none.
select
    r.cohort,
    count(*) filter (where d.appeal_id is null) as open,
    count(*) filter (where d.is_upheld) as upheld,
    count(*) filter (where not d.is_upheld) as dismissed
from appeals as a
inner join recipients as r on a.recipient_id = r.recipient_id
left join appeal_decisions as d on a.appeal_id = d.appeal_id
group by r.cohort
