-- Return the outcome of each recipient of a cohort by the evidence as last refreshed.
create or replace function standing(of_cohort integer, deadline_on date, as_of date)
returns table (recipient_id bigint, outcome outcome, because text, delivery_id bigint, line bigint)
language sql stable parallel safe
begin atomic
    with judged as (
        select
            e.recipient_id,
            coalesce(e.purchase_delivery_id, e.doubt_delivery_id) as row_delivery_id,
            coalesce(e.purchase_line, e.doubt_line) as row_line,
            case when e.recipient_id in (
                select v.recipient_id
                from revocations as v
                inner join decisions as d on v.decision_id = d.decision_id
                where d.cohort = of_cohort and d.deadline_on < standing.deadline_on
            ) then 'revoked_earlier' else because_of(
                -- Few have withdrawn or are suspended: look each up instead of joining a million rows.
                e.recipient_id in (
                    select w.recipient_id
                    from withdrawals as w
                    where w.withdrawn_on <= least(standing.deadline_on, standing.as_of)
                ),
                e.purchase_line is not null,
                e.recipient_id in (
                    select s.recipient_id from suspended_at(standing.deadline_on, standing.as_of) as s
                ),
                e.doubt_line is not null
            ) end as why
        from evidence as e
        where e.cohort = of_cohort
    )

    select
        j.recipient_id,
        outcome_of(j.why),
        j.why,
        case when j.why <> 'withdrawn' then j.row_delivery_id end,
        case when j.why <> 'withdrawn' then j.row_line end
    from judged as j;
end;
