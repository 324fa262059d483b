-- Grain: one row per look at somebody's story.
-- Parameters: recipient_id, looked_by.
-- Role: show.
insert into looks (recipient_id, looked_by)
values (:recipient_id, :looked_by)
