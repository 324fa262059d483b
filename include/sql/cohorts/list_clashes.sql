-- Grain: one row per other cohort with a card or a NIK of the staged roster, with the first lines.
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
    inner join recipients_in_force as r on s.nik = r.nik
),

numbered as (
    select
        cohort,
        line,
        row_number() over (partition by cohort order by line) as position
    from clashes
)

select
    cohort,
    count(*) as count,
    array_agg(line order by line) filter (where position <= :lines_shown) as lines
from numbered
group by cohort
order by cohort
