-- Grain: one row per look at a person's story. Each call adds one.
-- Parameters: recipient_id, looked_by.
-- Role: show.
insert into looks (recipient_id, looked_by)
values (:recipient_id, :looked_by)
