-- Grain: one rejection per batch, person and day.
-- May run twice. Parameters: digest, rejected_by, rejected_on.
-- Role: decide.
insert into rejections (digest, rejected_by, rejected_on)
values (:digest, :rejected_by, :rejected_on)
on conflict (digest, rejected_by, rejected_on) do nothing
