-- Grain: one change of a key.
-- Parameters: kind, key_id, because, answered_by.
-- Role: publish.
insert into rotations (kind, key_id, because, answered_by)
values (:kind, :key_id, :because, :answered_by)
