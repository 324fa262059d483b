-- Grain: one approval per set of changes. Twice is once.
-- Parameters: digest, approved_by, because, approved_on, is_in_advance.
-- Role: publish.
insert into publication_approvals (digest, approved_by, because, approved_on, is_recorded_in_advance)
values (:digest, :approved_by, :because, :approved_on, :is_in_advance)
on conflict (digest) do nothing
