-- Grain: one row per platform and business date of a window whose delivery was late, rejected or restated.
-- Parameters: first_date, last_date.
select
    platform,
    business_date,
    concat_ws(
        ', ',
        case when bool_and(status = 'rejected') then 'rejected' end,
        case when count(distinct revision) filter (where status = 'accepted') > 1 then 'restated' end,
        case
            when min(arrived_on) filter (where status = 'accepted') > business_date + 1
                then 'late by ' || min(arrived_on) filter (where status = 'accepted') - business_date - 1 || ' d'
        end
    ) as what
from deliveries
where business_date between :first_date and :last_date
group by platform, business_date
having
    bool_and(status = 'rejected')
    or count(distinct revision) filter (where status = 'accepted') > 1
    or min(arrived_on) filter (where status = 'accepted') > business_date + 1
order by business_date, platform
