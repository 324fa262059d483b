-- Return the outcome of a reason (`because_of`). A reason that is not listed holds.
-- Before the deadline, `overdue` means at risk.
create or replace function outcome_of(because text) returns outcome
language sql immutable parallel safe
return case because
    when 'withdrawn' then 'excluded'::outcome
    when 'revoked_earlier' then 'excluded'
    when 'purchase' then 'purchased'
    when 'no_purchase' then 'overdue'
    else 'held'
end;
