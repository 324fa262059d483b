-- Grain: one boolean, whether a suspension of a recipient runs on a day.
-- Parameters: recipient_id, day.
select exists(
    select from suspended_at(:day, :day) as s
    where s.recipient_id = :recipient_id
)
