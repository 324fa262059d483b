-- The attempts to decide that count by the end of a day ('infinity': now), by the calendar's deadlines as known then.
-- What was decided for a deadline that moved before anybody was revoked is past: the cohort is open again.
create function decisions_that_count(cohorts integer[], deadlines date[], known_by date) returns setof decisions
language sql stable
as $$
    select d.*
    from decisions as d
    left join carried_out as c on d.decision_id = c.decision_id and c.carried_out_on <= known_by
    left join unnest(cohorts, deadlines) as k (cohort, deadline_on) on d.cohort = k.cohort
    where
        d.as_of <= known_by
        and (k.deadline_on is null or d.deadline_on >= k.deadline_on or c.decision_id is not null);
$$;

-- The rows in which a revision differs from the one that it supersedes: their lines alone, for the voucher, which is
-- compared as well, is not for all who ask. Each duty that needs it is granted it (duties.sql).
create function differences(revision_id bigint, superseded_id bigint)
returns table (change text, line bigint, line_before bigint, is_other_voucher boolean)
language sql stable security definer
set search_path = public, pg_temp
as $$
    select
        case
            when o.transaction_id is null then 'added'
            when n.transaction_id is null then 'vanished'
            else 'changed'
        end,
        n.line,
        o.line,
        n.voucher_code <> o.voucher_code
    from (select * from transactions where delivery_id = revision_id) as n
    full join
        (select * from transactions where delivery_id = superseded_id) as o
        on n.transaction_id = o.transaction_id and n.event = o.event
    where
        n.transaction_id is null
        or o.transaction_id is null
        or (n.occurred_at, n.card_number, n.amount_idr, n.course_id, n.voucher_code)
        <> (o.occurred_at, o.card_number, o.amount_idr, o.course_id, o.voucher_code);
$$;

-- For which deadline a cohort was decided is one of its figures from now on: nobody has to wait for the next count.
update cohort_figures as f
set
    figures = f.figures || jsonb_build_object(
        'decided_deadline_on',
        (select max(d.deadline_on) from decisions as d where d.cohort = f.cohort and d.status = 'made')
    );
