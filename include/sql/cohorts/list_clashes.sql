-- Grain: one row per other cohort that has a card or a NIK of the staged roster, with the first lines.
-- Parameters: lines_shown.
with clashes as (
    select
        r.cohort,
        s.line
    from staged_recipients as s
    inner join recipients as r on s.card_number = r.card_number
    union
    select
        r.cohort,
        s.line
    from staged_recipients as s
    inner join recipients as r on s.nik = r.nik
)

select
    cohort,
    count(*) as count,
    (array_agg(line order by line))[1::lines_shown] as lines
from clashes
group by cohort
order by cohort
