-- Grain: one boolean, whether a recipient is suspended on a day.
-- Parameters: recipient_id, day.
select exists(
    select from suspended_at(:day, :day) as s
    where s.recipient_id = :recipient_id
)
