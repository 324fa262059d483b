-- What a kind of finding asks for: to propose a reinstatement, to look into a case, to resolve a hold, or to have a
-- payment returned that a platform took after the deadline.
-- A new kind is listed here, in the check of `late_findings`, in the order of `list_events`, and in `story.yaml`.
create or replace function finding_effect(kind text) returns text
language sql immutable parallel safe
return case kind
    when 'reinstatement_proposed' then 'reinstatement'
    when 'deadline_extended' then 'reinstatement'
    when 'purchase_gone' then 'case'
    when 'damaged_row' then 'case'
    when 'spared' then 'case'
    when 'hold_resolvable' then 'hold'
    when 'late_purchase' then 'payment'
end;
