-- Return the outcome of the given recipients by every delivery known on `as_of`, by the rule of the deadline decision.
create or replace function standing_of(
    of_recipients bigint[], announced_on date, deadline_on date, settlement_days integer, as_of date
)
returns table (recipient_id bigint, outcome outcome, because text, delivery_id bigint, line bigint)
language sql stable
begin atomic
    with judged as (
        select
            a.recipient_id,
            coalesce(e.purchase_delivery_id, e.doubt_delivery_id) as row_delivery_id,
            coalesce(e.purchase_line, e.doubt_line) as row_line,
            because_of(
                w.recipient_id is not null, e.purchase_line is not null, s.recipient_id is not null,
                e.doubt_line is not null
            ) as why
        from unnest(of_recipients) as a (recipient_id)
        left join evidence_of(
            of_recipients, array(select f.delivery_id from deliveries_in_force(standing_of.as_of) as f),
            standing_of.announced_on, standing_of.deadline_on, standing_of.settlement_days,
            wib_midnight(standing_of.deadline_on + 1)
        ) as e on a.recipient_id = e.recipient_id
        left join suspended_at(standing_of.deadline_on, standing_of.as_of) as s on a.recipient_id = s.recipient_id
        -- A recipient who withdraws after the revocation keeps the proof of a purchase.
        left join withdrawals as w
            on
                a.recipient_id = w.recipient_id
                and w.withdrawn_on <= least(standing_of.deadline_on, standing_of.as_of)
                and not exists (select from revocations as v where v.recipient_id = a.recipient_id)
    )

    select
        j.recipient_id,
        outcome_of(j.why),
        j.why,
        case when j.why <> 'withdrawn' then j.row_delivery_id end,
        case when j.why <> 'withdrawn' then j.row_line end
    from judged as j;
end;
