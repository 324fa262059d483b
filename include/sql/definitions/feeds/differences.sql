-- Return the lines in which a revision differs from the one that it supersedes. Only lines, because the voucher, which
-- is compared too, is not visible to every caller. Each duty that needs it has the right to execute it (duties.sql).
create or replace function differences(revision_id bigint, superseded_id bigint)
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
