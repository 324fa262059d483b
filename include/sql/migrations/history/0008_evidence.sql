-- For every recipient the purchase that counts and the row that holds, by the deliveries that `evidence_bases` and
-- `evidence_deliveries` name: no fact but what follows from facts, kept because to ask the whole ledger anew for a
-- million people takes seconds. `refresh_evidence` brings it to any other set of deliveries.
create table evidence (
    cohort integer not null,
    recipient_id bigint not null primary key,
    card_number bigint not null,
    purchase_delivery_id bigint,
    purchase_line bigint,
    -- of the platform and transaction id: what a cancellation names
    purchase_key bigint,
    doubt_delivery_id bigint,
    doubt_line bigint,
    touched_in bigint not null default 0
) with (fillfactor = 60);
comment on table evidence is 'a row is written once and changed about once: room for that in its own page';
comment on column evidence.touched_in
is 'the last generation whose deliveries could have changed it: whoever was not touched since stands as before';
create index evidence_cohort on evidence (cohort);

create table evidence_bases (
    cohort integer primary key,
    announced_on date not null,
    deadline_on date not null,
    settlement_days integer not null,
    undone_before timestamptz not null,
    -- Counts the refreshes that touched anybody; not by days, since a replay may come back to an earlier one.
    generation bigint not null default 0,
    -- Up to where late truth has been looked for.
    noticed bigint not null default 0
);
alter table decisions add column evidence_generation bigint;
comment on column decisions.evidence_generation is 'whoever was touched after it must be asked again';

create table evidence_deliveries (
    cohort integer not null references evidence_bases,
    delivery_id bigint not null,
    primary key (cohort, delivery_id)
);

-- What undoes a purchase is looked for by its transaction id.
create index transactions_undone on transactions (transaction_id) where event <> 'PAID';

create function purchase_key(platform text, transaction_id text) returns bigint
language sql immutable parallel safe
return hashtextextended(platform || ' ' || transaction_id, 0);

-- The rule, for some recipients, by the deliveries of `in_force`: the first purchase in the window
-- [announced 00:00 WIB, deadline + 1 00:00 WIB) that was not undone before `undone_before`, and the first damaged row
-- that might be theirs. No row for whoever has neither.
create function evidence_of(
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
-- A ledger of a year lies in memory; and no walk along the whole index of cards where some are asked for.
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
            t.event = 'PAID'
            and t.occurred_at >= wib_midnight(evidence_of.announced_on)
            and t.occurred_at < wib_midnight(evidence_of.deadline_on + 1)
            and not exists (
                select
                from transactions as u
                inner join known as n on u.delivery_id = n.delivery_id
                where
                    u.event <> 'PAID'
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
        -- By the cards' index: a range that is compared with a million cards takes a second.
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

-- Brings a cohort's evidence to the deliveries known by `known_by` with a business date up to `last_business_date`: who
-- could be touched by one that came or went is judged anew, and marked with the generation, which it gives.
-- Forwards, backwards, and from nothing alike.
create function refresh_evidence(
    of_cohort integer,
    announced_on date,
    deadline_on date,
    settlement_days integer,
    last_business_date date,
    known_by date,
    undone_before timestamptz
)
returns bigint
language plpgsql
set work_mem = '128MB'
set random_page_cost = 1.1
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
declare
    base evidence_bases;
    in_force bigint[];
    entering bigint[];
    leaving bigint[];
    touched bigint[];
    opens constant timestamptz := wib_midnight(refresh_evidence.announced_on);
    closes constant timestamptz := wib_midnight(refresh_evidence.deadline_on + 1);
begin
    perform pg_advisory_xact_lock(hashtextextended('prakerja evidence ' || of_cohort, 0));
    select * into base from evidence_bases as b where b.cohort = of_cohort;
    if base is null then
        insert into evidence (cohort, recipient_id, card_number)
        select r.cohort, r.recipient_id, r.card_number
        from recipients as r
        where r.cohort = of_cohort;
        if not found then
            return 0;
        end if;
    elsif (base.announced_on, base.deadline_on, base.settlement_days) is distinct from
        (refresh_evidence.announced_on, refresh_evidence.deadline_on, refresh_evidence.settlement_days) then
        delete from evidence_deliveries as f where f.cohort = of_cohort;
        update evidence as e
        set purchase_delivery_id = null, purchase_line = null, purchase_key = null, doubt_delivery_id = null,
            doubt_line = null, touched_in = base.generation + 1
        where e.cohort = of_cohort;
        base.generation := base.generation + 1;
    end if;
    insert into evidence_bases as b
    values (of_cohort, refresh_evidence.announced_on, refresh_evidence.deadline_on, refresh_evidence.settlement_days,
        refresh_evidence.undone_before, 0, 0)
    on conflict (cohort) do update
    set announced_on = excluded.announced_on, deadline_on = excluded.deadline_on,
        settlement_days = excluded.settlement_days, undone_before = excluded.undone_before,
        generation = base.generation
    where (b.announced_on, b.deadline_on, b.settlement_days, b.undone_before, b.generation) is distinct from
    (excluded.announced_on, excluded.deadline_on, excluded.settlement_days, excluded.undone_before, base.generation);

    in_force := array(
        select f.delivery_id
        from deliveries_in_force(refresh_evidence.known_by) as f
        where f.business_date <= refresh_evidence.last_business_date
    );
    entering := array(
        select unnest(in_force) except select f.delivery_id from evidence_deliveries as f where f.cohort = of_cohort
    );
    leaving := array(
        select f.delivery_id from evidence_deliveries as f where f.cohort = of_cohort except select unnest(in_force)
    );
    if cardinality(entering || leaving) = 0 and base.undone_before = refresh_evidence.undone_before then
        return base.generation;
    end if;

    touched := array(
        -- purchases that came or went
        select e.recipient_id
        from transactions as t
        inner join evidence as e on t.card_number = e.card_number
        where t.delivery_id = any(entering || leaving) and t.event = 'PAID'
            and t.occurred_at >= opens and t.occurred_at < closes and e.cohort = of_cohort
        union
        -- damaged rows that came or went
        select r.recipient_id
        from quarantine as q
        inner join deliveries as d on q.delivery_id = d.delivery_id
        cross join lateral unnest(q.might_be) as cards
        cross join lateral (
            select r.recipient_id, r.cohort
            from recipients as r
            where r.card_number >= lower(cards) and r.card_number < upper(cards)
            offset 0 -- noqa: AM09
        ) as r
        where q.delivery_id = any(entering || leaving) and r.cohort = of_cohort
            and d.business_date between refresh_evidence.announced_on
            and refresh_evidence.deadline_on + refresh_evidence.settlement_days
        union
        -- purchases that count, and were undone
        select e.recipient_id
        from evidence as e
        where e.cohort = of_cohort and e.purchase_key in (
            select purchase_key(d.platform, u.transaction_id)
            from transactions as u
            inner join deliveries as d on u.delivery_id = d.delivery_id
            where u.event <> 'PAID' and u.occurred_at < refresh_evidence.undone_before and (
                u.delivery_id = any(entering)
                or (u.delivery_id = any(in_force) and u.occurred_at >= base.undone_before)
            )
        )
    );
    -- Purchases whose undoing is gone. Rarely any: they are looked for by a scan of the window's deliveries.
    touched := touched || array(
        with gone as materialized (
            select distinct d.platform, u.transaction_id
            from transactions as u
            inner join deliveries as d on u.delivery_id = d.delivery_id
            where u.event <> 'PAID' and u.occurred_at < base.undone_before and (
                u.delivery_id = any(leaving)
                or (u.delivery_id = any(in_force) and u.occurred_at >= refresh_evidence.undone_before)
            )
            except
            select d.platform, u.transaction_id
            from transactions as u
            inner join deliveries as d on u.delivery_id = d.delivery_id
            where cardinality(leaving) > 0 and u.event <> 'PAID' and u.delivery_id = any(in_force)
                and u.occurred_at < refresh_evidence.undone_before
        )

        select distinct e.recipient_id
        from transactions as t
        inner join deliveries as d on t.delivery_id = d.delivery_id
        inner join gone as g on d.platform = g.platform and t.transaction_id = g.transaction_id
        inner join evidence as e on t.card_number = e.card_number
        where (select true from gone limit 1) and t.event = 'PAID' and t.delivery_id = any(in_force)
            and t.occurred_at >= opens and t.occurred_at < closes and e.cohort = of_cohort
    );

    update evidence as e
    set purchase_delivery_id = v.purchase_delivery_id, purchase_line = v.purchase_line, purchase_key = v.purchase_key,
        doubt_delivery_id = v.doubt_delivery_id, doubt_line = v.doubt_line,
        touched_in = coalesce(base.generation, 0) + 1
    from (select distinct unnest(touched)) as a (recipient_id)
    left join evidence_of(
        touched, in_force, refresh_evidence.announced_on, refresh_evidence.deadline_on,
        refresh_evidence.settlement_days, refresh_evidence.undone_before
    ) as v on a.recipient_id = v.recipient_id
    where e.recipient_id = a.recipient_id;
    delete from evidence_deliveries as f where f.cohort = of_cohort and f.delivery_id = any(leaving);
    insert into evidence_deliveries select of_cohort, unnest(entering);
    if cardinality(touched) = 0 then
        return coalesce(base.generation, 0);
    end if;
    update evidence_bases as b set generation = coalesce(base.generation, 0) + 1 where b.cohort = of_cohort;
    return coalesce(base.generation, 0) + 1;
end;
$$;

create function because_of(is_withdrawn boolean, is_purchased boolean, is_suspended boolean, is_doubtful boolean)
returns text
language sql immutable parallel safe
return case
    when is_withdrawn then 'withdrawn'
    when is_purchased then 'purchase'
    when is_suspended then 'suspended'
    when is_doubtful then 'damaged_row'
    else 'no_purchase'
end;

-- `overdue` here means: no purchase, no doubt (before the deadline: at risk).
create function outcome_of(because text) returns outcome
language sql immutable parallel safe
return case because
    when 'withdrawn' then 'excluded'::outcome
    when 'revoked_earlier' then 'excluded'
    when 'purchase' then 'purchased'
    when 'no_purchase' then 'overdue'
    else 'held'
end;

create function suspended_at(deadline_on date, known_by date) returns table (recipient_id bigint)
language sql stable parallel safe
begin atomic
    select distinct s.recipient_id
    from suspensions as s
    left join suspension_lifts as l on s.recipient_id = l.recipient_id and s.suspended_on = l.suspended_on
    where
        s.suspended_on <= least(suspended_at.deadline_on, suspended_at.known_by)
        and (l.lifted_on is null or l.lifted_on > suspended_at.deadline_on);
end;

-- Where each recipient of a cohort stands, by the evidence as it was last refreshed.
create function standing(of_cohort integer, deadline_on date, known_by date)
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
                -- Few have withdrawn or are suspended: a look-up for each, not a join of the million.
                e.recipient_id in (
                    select w.recipient_id from withdrawals as w where w.withdrawn_on <= standing.known_by
                ),
                e.purchase_line is not null,
                e.recipient_id in (
                    select s.recipient_id from suspended_at(standing.deadline_on, standing.known_by) as s
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

-- Where some recipients stand by every delivery known at `known_by`, by the rule that the deadline decision applies.
create function standing_of(
    of_recipients bigint[], announced_on date, deadline_on date, settlement_days integer, known_by date
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
            of_recipients, array(select f.delivery_id from deliveries_in_force(standing_of.known_by) as f),
            standing_of.announced_on, standing_of.deadline_on, standing_of.settlement_days,
            wib_midnight(standing_of.deadline_on + 1)
        ) as e on a.recipient_id = e.recipient_id
        left join suspended_at(standing_of.deadline_on, standing_of.known_by) as s on a.recipient_id = s.recipient_id
        -- Who was revoked and leaves then has not lost the proof of a purchase.
        left join withdrawals as w
            on
                a.recipient_id = w.recipient_id
                and w.withdrawn_on <= standing_of.known_by
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
