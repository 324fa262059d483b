-- Grain: one withdrawal per recipient.
-- May run twice: the first withdrawal stays.
-- Parameters: recipient_id, withdrawn_on, because, recorded_by.
-- Role: decide.
insert into withdrawals (recipient_id, withdrawn_on, because, recorded_by)
values (:recipient_id, :withdrawn_on, :because, :recorded_by)
on conflict (recipient_id) do nothing
