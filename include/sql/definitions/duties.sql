-- A role per duty. A role may read, and insert the facts of its own area. No role may update or delete a fact; only the
-- outbox and what is derived from facts (standings, evidence) can be updated. Nobody logs in as such a role: a login
-- takes the role of the duty that it works for (`warehouse.transaction`), and the login of a process that is reachable
-- from outside is a member of one role only. Run at each upgrade, after the migrations: roles belong to the server and
-- are not part of a backup. Safe to repeat.
do $$
declare
    duty text;
    seen record;
    has_maintain constant boolean := current_setting('server_version_num')::integer >= 170000;
begin
    foreach duty in array array[
        'ingest', 'decide', 'recheck', 'replay', 'remind', 'receive', 'publish', 'serve', 'show', 'read', 'look'
    ] loop
        if not exists (select from pg_roles where rolname = 'prakerja_' || duty) then
            execute format('create role prakerja_%s nologin', duty);
        end if;
        begin
            execute format('grant prakerja_%s to %I', duty, session_user);
        exception when insufficient_privilege then
            null; -- the creator of the role has granted it, or this login may not have it
        end;
        execute format('grant usage on schema public to prakerja_%s', duty);
    end loop;

    -- Earlier versions had one role for everything.
    if exists (select from pg_roles where rolname = 'prakerja_app') then
        revoke all on all tables in schema public from prakerja_app;
        revoke all on all sequences in schema public from prakerja_app;
        revoke all on schema public from prakerja_app;
    end if;

    grant select on all tables in schema public
    to prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_publish, prakerja_read;
    grant usage on all sequences in schema public
    to prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_publish, prakerja_show;

    grant insert on deliveries, transactions, quarantine, restatements, waivers, rosters, recipients, extensions
    to prakerja_ingest;
    execute format('grant temporary on database %I to prakerja_ingest', current_database());

    grant insert on decisions, decision_deliveries, outcomes, batches, batch_members, proposals, proposal_lapses,
        approvals, rejections,
        revocations, carried_out, late_findings, hold_resolutions, appeals, appeal_decisions, reinstatements,
        freezes, freeze_lifts, overrides, suspensions, suspension_lifts, withdrawals, extensions, went_live,
        corrections, correction_decisions, correction_values, second_readings, reading_differences
    to prakerja_decide;
    -- The second reading uses the files. From the warehouse it reads which files were accepted, and what people
    -- recorded.
    grant select (cohort, status, sha256) on rosters to prakerja_recheck;
    grant select (delivery_id, platform, business_date, revision, status, sha256, arrived_on) on deliveries
    to prakerja_recheck;
    grant select (decision_id, delivery_id) on decision_deliveries to prakerja_recheck;
    grant select (recipient_id, cohort, card_number) on recipients to prakerja_recheck;
    grant select on suspensions, suspension_lifts, withdrawals, extensions, overrides, hold_resolutions,
        corrections, correction_decisions
    to prakerja_recheck;
    grant select (correction_id, recipient_id, nik) on correction_values to prakerja_recheck;
    grant select (
        decision_id, cohort, status, reason, missing_feeds, announced_on, deadline_on, settlement_days, as_of
    ) on decisions to prakerja_recheck;
    grant select (recipient_id, decision_id, revoked_on) on revocations to prakerja_recheck;
    grant select (recipient_id, because, reinstated_on) on reinstatements to prakerja_recheck;
    -- It determines the deliveries in force by itself. The other functions read tables that it must not read.
    revoke execute on function deliveries_in_force(date) from public, prakerja_serve;
    grant execute on function deliveries_in_force(date)
    to prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_receive, prakerja_publish, prakerja_show,
        prakerja_read, prakerja_look;
    -- A replay decides and publishes, and may approve in advance as long as the warehouse has never been live.
    grant prakerja_decide, prakerja_publish to prakerja_replay;

    grant insert on opt_outs, hindrances, reminder_runs to prakerja_remind;
    grant insert, update on reminders, provider_pace to prakerja_remind;
    grant update (sealed, nik, contact, phone_token, email_token, region_code) on correction_values to prakerja_remind;

    grant insert on blacklist_versions, blacklist_changes, published_lists, published_documents, publication_approvals,
        rotations, contract_ends, api_keys, api_key_revocations
    to prakerja_publish;

    -- What is derived from facts. No role writes the evidence itself: only `refresh_evidence` does, from the ledger.
    grant insert, update on standings to prakerja_ingest, prakerja_decide;
    grant update on evidence_bases to prakerja_decide;

    revoke execute on function
    refresh_evidence(integer, date, date, integer, date, date, timestamptz) from public;
    grant execute on function
    refresh_evidence(integer, date, date, integer, date, date, timestamptz)
    to prakerja_ingest, prakerja_decide, prakerja_remind;

    revoke execute on function differences(bigint, bigint) from public;
    grant execute on function differences(bigint, bigint) to prakerja_ingest, prakerja_show, prakerja_read;

    -- Locks: each duty has its own. A role that only reads takes no locks and seals nothing, since both can block
    -- others.
    grant insert, update on ingest_locks to prakerja_ingest;
    grant insert, update on decide_locks to prakerja_decide;
    grant insert, update on remind_locks to prakerja_remind;
    grant insert, update on publish_locks to prakerja_publish;
    revoke execute on function lock_name(text) from public;
    revoke execute on function seal_entries() from public;
    grant execute on function seal_entries()
    to prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_publish;

    -- Only roles that add facts may create entries of the log: others would leave pending entries behind.
    revoke execute on function current_entry() from public;
    grant execute on function current_entry()
    to prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_receive, prakerja_publish, prakerja_show;

    -- The monitor shows the counts that runs have stored, and records who looked at whom.
    grant insert, update, delete on cohort_days, cohort_regions, cohort_figures to prakerja_ingest;
    grant insert on looks to prakerja_show;

    -- The receiver of receipts is reachable from outside: it updates the state of messages and records opt-outs.
    grant select on alembic_version, reminders, opt_outs, message_transitions to prakerja_receive;
    grant update (state, failure, settled_at, round, try_after) on reminders to prakerja_receive;
    grant insert on opt_outs to prakerja_receive;
    grant select, insert, update on odd_receipts to prakerja_receive;
    grant usage on all sequences in schema public to prakerja_receive;

    -- The service answers from files. It needs the warehouse for API keys, the public statistics, and to record
    -- lookups. Earlier versions let it count cohorts by itself.
    revoke all on all tables in schema public from prakerja_serve;
    grant select on alembic_version, api_keys, api_key_revocations, lookups, audited, cohort_figures to prakerja_serve;
    grant insert on lookups to prakerja_serve;
    grant usage on all sequences in schema public to prakerja_serve;

    -- People and tools that only look see everything except personal data: no number, name, address or text of a
    -- person.
    for seen in
        select
            c.table_name,
            string_agg(quote_ident(c.column_name), ', ') as columns
        from information_schema.columns as c
        where
            c.table_schema = 'public'
            and c.column_name not in (
                'nik', 'card_number', 'full_name', 'phone', 'email', 'address', 'idempotency_key', 'provider_id',
                'unsubscribe_key', 'text', 'delivered', 'might_be', 'voucher_code', 'secret_sha256', 'contact', 'phone_token', 'email_token', 'sealed'
            )
        group by c.table_name
    loop
        execute format('grant select (%s) on %I to prakerja_look, prakerja_show', seen.columns, seen.table_name);
    end loop;
    -- Support staff find a person by number, and see damaged rows, masked.
    grant select (card_number, nik) on recipients to prakerja_show;
    grant select (nik) on correction_values, niks_in_force to prakerja_show;
    grant select (card_number) on transactions, evidence to prakerja_show;
    grant select (delivered, might_be) on quarantine to prakerja_show;

    if has_maintain then
        execute 'grant maintain on deliveries, transactions, quarantine, recipients, evidence, outcomes, revocations'
            ' to prakerja_ingest';
        execute 'grant maintain on outcomes to prakerja_decide';
        execute 'grant maintain on blacklist_changes to prakerja_publish';
    end if;
end;
$$;
