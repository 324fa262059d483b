-- Grain: one report of the step that a recipient has not taken. A report that repeats the latest one adds no row, so
-- the statement may run twice.
-- Parameters: card_numbers, lacks (arrays), reported_on.
-- Role: remind.
insert into hindrances (recipient_id, lacks, reported_on)
select
    r.recipient_id,
    g.lacks,
    :reported_on
from unnest(cast(:card_numbers as bigint[]), cast(:lacks as text[])) as g (card_number, lacks)
inner join recipients as r on g.card_number = r.card_number
where
    g.lacks <> coalesce((
        select h.lacks
        from hindrances as h
        where h.recipient_id = r.recipient_id
        order by h.hindrance_id desc
        limit 1
    ), 'nothing')
