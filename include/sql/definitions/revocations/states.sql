-- Return the states of recipients by the facts, without the facts of one table. If that table has deadlines, only its
-- facts of one deadline are left out.
create or replace function states(of_recipients bigint[], without text, without_deadline date)
returns table (recipient_id bigint, state text)
language sql stable
set plan_cache_mode = 'force_custom_plan'
begin atomic
    with latest as (
        select distinct on (n.recipient_id)
            n.recipient_id,
            n.outcome,
            n.deadline_on
        from outcomes as n
        where
            n.recipient_id = any(of_recipients)
            and (without <> 'outcomes' or n.deadline_on <> without_deadline)
        order by n.recipient_id, n.deadline_on desc
    ),

    resolved as (
        select
            o.recipient_id,
            bool_or(h.is_purchased) as is_ever_purchased,
            bool_or(not h.is_purchased and h.deadline_on = o.deadline_on) as is_not_purchased
        from latest as o
        inner join hold_resolutions as h on o.recipient_id = h.recipient_id
        where without <> 'hold_resolutions' or h.deadline_on <> without_deadline
        group by o.recipient_id
    ),

    spared as (
        select distinct f.recipient_id
        from late_findings as f
        where
            f.recipient_id = any(of_recipients)
            and f.kind = 'spared'
            and (without <> 'late_findings' or f.deadline_on <> without_deadline)
    )

    select
        a.recipient_id,
        case
            when e.recipient_id is not null then 'reinstated'
            when v.recipient_id is not null then 'revoked'
            when s.recipient_id is not null then 'spared'
            when h.is_ever_purchased then 'cleared'
            when o.outcome = 'held' and h.is_not_purchased then 'not_purchased'
            else coalesce(o.outcome::text, 'selected')
        end
    from unnest(of_recipients) as a (recipient_id)
    left join latest as o on a.recipient_id = o.recipient_id
    left join resolved as h on a.recipient_id = h.recipient_id
    left join spared as s on a.recipient_id = s.recipient_id
    left join revocations as v on a.recipient_id = v.recipient_id and without <> 'revocations'
    left join reinstatements as e on a.recipient_id = e.recipient_id and without <> 'reinstatements';
end;
