-- Bring a cohort's evidence up to date with the deliveries known on `as_of` of business dates up to
-- `last_business_date`, and return its generation. Each recipient whom a delivery that came or went could affect is
-- evaluated again by `evidence_of` and marked with the new generation. Which rows count is decided there alone.
-- Works from an empty, an earlier or a later state. Runs with the owner's rights: no other role writes evidence.
create or replace function refresh_evidence(
    of_cohort integer,
    announced_on date,
    deadline_on date,
    settlement_days integer,
    last_business_date date,
    as_of date,
    undone_before timestamptz
)
returns bigint
language plpgsql security definer
set search_path = public, pg_temp
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
begin
    perform lock_name('evidence ' || of_cohort);
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
        from deliveries_in_force(refresh_evidence.as_of) as f
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
        where t.delivery_id = any(entering || leaving) and is_purchase(t.event)
            and is_in_window(t.occurred_at, refresh_evidence.announced_on, refresh_evidence.deadline_on)
            and e.cohort = of_cohort
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
        -- purchases that count, and that a row of another event names
        select e.recipient_id
        from evidence as e
        where e.cohort = of_cohort and e.purchase_key in (
            select purchase_key(d.platform, u.transaction_id)
            from transactions as u
            inner join deliveries as d on u.delivery_id = d.delivery_id
            where not is_purchase(u.event) and u.occurred_at < refresh_evidence.undone_before and (
                u.delivery_id = any(entering)
                or (u.delivery_id = any(in_force) and u.occurred_at >= base.undone_before)
            )
        )
    );
    -- Purchases named by a row that is gone. There are rarely any, so a scan of the window's deliveries finds them.
    touched := touched || array(
        with gone as materialized (
            select distinct d.platform, u.transaction_id, u.event
            from transactions as u
            inner join deliveries as d on u.delivery_id = d.delivery_id
            where not is_purchase(u.event) and u.occurred_at < base.undone_before and (
                u.delivery_id = any(leaving)
                or (u.delivery_id = any(in_force) and u.occurred_at >= refresh_evidence.undone_before)
            )
            except
            select d.platform, u.transaction_id, u.event
            from transactions as u
            inner join deliveries as d on u.delivery_id = d.delivery_id
            where cardinality(leaving) > 0 and not is_purchase(u.event) and u.delivery_id = any(in_force)
                and u.occurred_at < refresh_evidence.undone_before
        )

        select distinct e.recipient_id
        from transactions as t
        inner join deliveries as d on t.delivery_id = d.delivery_id
        inner join gone as g on d.platform = g.platform and t.transaction_id = g.transaction_id
        inner join evidence as e on t.card_number = e.card_number
        where (select true from gone limit 1) and is_purchase(t.event) and t.delivery_id = any(in_force)
            and is_in_window(t.occurred_at, refresh_evidence.announced_on, refresh_evidence.deadline_on)
            and e.cohort = of_cohort
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
