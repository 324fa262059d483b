-- Grain: one decision on a request.
-- May run twice: the first decision stays.
-- Parameters: request, is_approved, because, decided_by, decided_on, signature.
-- Role: decide.
insert into correction_decisions (request, is_approved, because, decided_by, decided_on, signature)
values (:request, :is_approved, :because, :decided_by, :decided_on, :signature)
on conflict (request) do nothing
