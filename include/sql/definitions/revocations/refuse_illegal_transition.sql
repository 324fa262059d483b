-- Trigger: refuse facts that would cause a transition which is not in `transitions`.
create or replace function refuse_illegal_transition() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    moved bigint[];
    cohorts integer[];
    outcomes text[];
    of_deadline date;
    last_deadline date;
    illegal record;
begin
    if tg_table_name = 'outcomes' then
        -- A million rows at once. In a cohort's first decision, all of them are still `selected`.
        select array_agg(a.cohort), array_agg(a.outcome::text), min(a.deadline_on), max(a.deadline_on)
        into cohorts, outcomes, of_deadline, last_deadline
        from (select distinct cohort, deadline_on, outcome from added) as a;
        if exists (
            select from carried_out as c
            inner join decisions as d on c.decision_id = d.decision_id
            where d.cohort = any(cohorts)
        ) then
            raise exception using errcode = 'check_violation', constraint = 'transitions',
                message = 'outcomes: this cohort''s decision was carried out';
        end if;
        if of_deadline = last_deadline and not exists (
            select from decisions as d
            where d.status = 'made' and d.cohort = any(cohorts) and d.deadline_on <> of_deadline
        ) then
            select 'selected' as from_state, o.to_state
            into illegal
            from unnest(outcomes) as o (to_state)
            where not exists (
                select from transitions as t
                where t.from_state = 'selected' and t.fact = 'outcomes' and t.to_state = o.to_state
            );
            if found then
                raise exception using errcode = 'check_violation', constraint = 'transitions',
                    message = 'outcomes: no transition from selected to ' || illegal.to_state;
            end if;
            return null;
        end if;
    end if;
    if tg_table_name = 'late_findings' then
        moved := array(select recipient_id from added where kind = 'spared');
        of_deadline := (select min(deadline_on) from added where kind = 'spared');
    elsif tg_table_name = 'hold_resolutions' then
        moved := array(select recipient_id from added);
        of_deadline := (select min(deadline_on) from added);
    else
        moved := array(select distinct recipient_id from added);
    end if;
    with moves as materialized (
        select distinct b.state as from_state, n.state as to_state
        from states(moved, tg_table_name, of_deadline) as b
        inner join states(moved, '', null) as n on b.recipient_id = n.recipient_id
    )

    select m.from_state, m.to_state
    into illegal
    from moves as m
    where not exists (
        select from transitions as t
        where t.from_state = m.from_state and t.fact = tg_table_name and t.to_state = m.to_state
    )
    limit 1;
    if found then
        raise exception using errcode = 'check_violation', constraint = 'transitions',
            message = format('%s: no transition from %s to %s', tg_table_name, illegal.from_state, illegal.to_state);
    end if;
    return null;
end;
$$;
