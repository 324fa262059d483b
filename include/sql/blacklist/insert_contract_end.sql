-- Grain: one decision that a contract of the list ends.
-- Parameters: contract, ends_on, because, ended_by.
-- Role: publish.
insert into contract_ends (contract, ends_on, because, ended_by)
values (:contract, :ends_on, :because, :ended_by)
