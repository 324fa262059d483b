-- Grain: the one row of the rule. May run twice.
-- Parameters: one_approver_up_to, approvers, approvers_above, must_be_signed.
-- Role: owner.
insert into approval_rule (one_approver_up_to, approvers, approvers_above, must_be_signed)
values (:one_approver_up_to, :approvers, :approvers_above, :must_be_signed)
on conflict (is_the_rule) do update
    set
        one_approver_up_to = excluded.one_approver_up_to,
        approvers = excluded.approvers,
        approvers_above = excluded.approvers_above,
        must_be_signed = excluded.must_be_signed
