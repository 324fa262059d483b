-- Grain: the one row of the rule. May run twice. Parameters: one_approver_up_to, approvers, approvers_above.
-- Duty: owner.
insert into approval_rule (one_approver_up_to, approvers, approvers_above)
values (:one_approver_up_to, :approvers, :approvers_above)
on conflict (is_the_rule) do update
    set
        one_approver_up_to = excluded.one_approver_up_to,
        approvers = excluded.approvers,
        approvers_above = excluded.approvers_above
