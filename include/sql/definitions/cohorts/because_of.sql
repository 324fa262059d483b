-- Why a recipient stands where they stand: the order in which facts about one person count. `outcome_of` says where.
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
