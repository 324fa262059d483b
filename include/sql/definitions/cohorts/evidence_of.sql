-- The decision's rule for the given recipients and the deliveries `in_force`: the first purchase in the window that was
-- not undone before `undone_before`, and the first damaged row that might be about them. A recipient with neither has
-- no row. `because_of` and `outcome_of` derive the outcome; `standing` and `standing_of` add people's own facts.
create or replace function evidence_of(
    of_recipients bigint[],
    in_force bigint[],
    announced_on date,
    deadline_on date,
    settlement_days integer,
    undone_before timestamptz
)
returns table (
    recipient_id bigint,
    purchase_delivery_id bigint,
    purchase_line bigint,
    purchase_key bigint,
    doubt_delivery_id bigint,
    doubt_line bigint
)
language sql stable
set work_mem = '128MB'
-- The ledger of a year fits in memory; and a few recipients must not cause a scan of the whole index of cards.
set random_page_cost = 1.1
set enable_mergejoin = off
set plan_cache_mode = 'force_custom_plan'
begin atomic
    with asked as materialized (
        select
            r.recipient_id,
            r.card_number
        from unnest(of_recipients) as a (recipient_id)
        inner join recipients as r on a.recipient_id = r.recipient_id
    ),

    known as materialized (
        select
            d.delivery_id,
            d.platform,
            d.business_date
        from unnest(in_force) as f (delivery_id)
        inner join deliveries as d on f.delivery_id = d.delivery_id
    ),

    purchases as (
        select distinct on (a.recipient_id)
            a.recipient_id,
            t.delivery_id as purchase_delivery_id,
            t.line as purchase_line,
            purchase_key(k.platform, t.transaction_id) as purchase_key
        from asked as a
        inner join transactions as t on a.card_number = t.card_number
        inner join known as k on t.delivery_id = k.delivery_id
        where
            is_purchase(t.event)
            and is_in_window(t.occurred_at, evidence_of.announced_on, evidence_of.deadline_on)
            and not exists (
                select
                from transactions as u
                inner join known as n on u.delivery_id = n.delivery_id
                where
                    is_undoing(u.event)
                    and u.transaction_id = t.transaction_id
                    and n.platform = k.platform
                    and u.occurred_at < evidence_of.undone_before
            )
        order by a.recipient_id, t.occurred_at, k.platform, k.business_date, t.line
    ),

    doubts as (
        select distinct on (a.recipient_id)
            a.recipient_id,
            q.delivery_id as doubt_delivery_id,
            q.line as doubt_line
        from quarantine as q
        inner join known as k on q.delivery_id = k.delivery_id
        cross join lateral unnest(q.might_be) as cards
        -- Uses the index of cards: comparing one range with a million cards takes a second.
        cross join
            lateral (
                select r.recipient_id
                from recipients as r
                where r.card_number >= lower(cards) and r.card_number < upper(cards)
                offset 0 -- noqa: AM09
            ) as r
        inner join asked as a on r.recipient_id = a.recipient_id
        where
            k.business_date
            between evidence_of.announced_on and evidence_of.deadline_on + evidence_of.settlement_days
        order by a.recipient_id, k.business_date, k.platform, q.line
    )

    select
        coalesce(p.recipient_id, d.recipient_id),
        p.purchase_delivery_id,
        p.purchase_line,
        p.purchase_key,
        d.doubt_delivery_id,
        d.doubt_line
    from purchases as p
    full join doubts as d on p.recipient_id = d.recipient_id;
end;
