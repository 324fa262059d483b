-- Return the reason for a recipient's outcome: the order in which the facts about one person count. `outcome_of`
-- returns the outcome.
create or replace function because_of(
    is_withdrawn boolean, is_purchased boolean, is_suspended boolean, is_doubtful boolean
)
returns text
language sql immutable parallel safe
return case
    when is_withdrawn then 'withdrawn'
    when is_purchased then 'purchase'
    when is_suspended then 'suspended'
    when is_doubtful then 'damaged_row'
    else 'no_purchase'
end;
