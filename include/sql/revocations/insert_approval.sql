-- Grain: one approval per decision, subject and person.
-- May run twice.
insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance)
values (:decision_id, :subject, :approved_by, :approved_on, :is_recorded_in_advance)
on conflict do nothing
