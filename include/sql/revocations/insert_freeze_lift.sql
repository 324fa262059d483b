-- Grain: one end per freeze, ever.
-- Parameters: freeze_id, because, lifted_by, lifted_on.
-- Role: decide.
insert into freeze_lifts (freeze_id, because, lifted_by, lifted_on)
select
    f.freeze_id,
    :because,
    :lifted_by,
    :lifted_on
from freezes as f
where f.freeze_id = :freeze_id
on conflict (freeze_id) do nothing
