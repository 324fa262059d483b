-- From revision 0015 to the baseline. The tables are the same but for names that nobody sees. The functions are marked
-- as outdated, so that the upgrade makes each of them anew.
do $$
declare
    named record;
    applied text;
begin
    alter table recipients set without cluster;
    alter table reminders set without cluster;
    -- `outcomes` was made beside an earlier one, whose constraints had their names. PostgreSQL 18 names these, too.
    for named in
        select c.conrelid::regclass as relation, c.conname, rtrim(c.conname, '1') as plain_name
        from pg_constraint as c
        where c.contype = 'n' and c.conrelid = 'outcomes'::regclass and c.conname like '%\_not\_null1'
    loop
        execute format('alter table %s rename constraint %I to %I', named.relation, named.conname, named.plain_name);
    end loop;
    foreach applied in array array[
            'audit_hash', 'audit_problems', 'audit_strays', 'because_of', 'current_entry', 'decisions_that_count',
            'deliveries_in_force', 'differences', 'digest_of', 'due_messages', 'evidence_of', 'findings_by_cohort',
            'may_leave', 'note_fact', 'opted_out', 'outcome_of', 'pending_changes', 'purchase_key',
            'refresh_evidence', 'refuse_illegal_message_transition', 'refuse_illegal_transition',
            'refuse_unknown_batch', 'reminded_people', 'reminder_targets', 'seal_entries', 'standing',
            'standing_of', 'states', 'suspended_at', 'wib_midnight', 'zone_of'
    ] loop
        execute format('comment on function %I is %L', applied, 'prakerja definition of revision 0015');
    end loop;
end;
$$;
