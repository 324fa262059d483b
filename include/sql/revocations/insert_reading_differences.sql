-- Grain: one row per recipient on whom the two readings differ, an array's entry each.
-- May run twice. Parameters: decision_id, recipient_ids, first_outcomes, first_becauses, first_delivery_ids,
-- first_lines, second_outcomes, second_becauses, second_delivery_ids, second_lines.
-- Role: decide.
insert into reading_differences (
    decision_id, recipient_id, first_outcome, first_because, first_delivery_id, first_line,
    second_outcome, second_because, second_delivery_id, second_line
)
select
    :decision_id,
    f.*
from
    unnest(
        cast(:recipient_ids as bigint[]), cast(:first_outcomes as text[]), cast(:first_becauses as text[]),
        cast(:first_delivery_ids as bigint[]), cast(:first_lines as bigint[]), cast(:second_outcomes as text[]),
        cast(:second_becauses as text[]), cast(:second_delivery_ids as bigint[]), cast(:second_lines as bigint[])
    ) as f
on conflict do nothing
