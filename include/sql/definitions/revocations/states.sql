-- Where recipients are, by the facts; without those of one table (of outcomes: without those of one deadline).
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
    )

    select
        a.recipient_id,
        case
            when e.recipient_id is not null then 'reinstated'
            when v.recipient_id is not null then 'revoked'
            when s.recipient_id is not null then 'spared'
            when h.is_purchased then 'cleared'
            when o.outcome = 'held' and not h.is_purchased and h.deadline_on = o.deadline_on then 'not_purchased'
            else coalesce(o.outcome::text, 'selected')
        end
    from unnest(of_recipients) as a (recipient_id)
    left join latest as o on a.recipient_id = o.recipient_id
    left join hold_resolutions as h on a.recipient_id = h.recipient_id and without <> 'hold_resolutions'
    left join late_findings as s
        on a.recipient_id = s.recipient_id and s.kind = 'spared' and without <> 'late_findings'
    left join revocations as v on a.recipient_id = v.recipient_id and without <> 'revocations'
    left join reinstatements as e on a.recipient_id = e.recipient_id and without <> 'reinstatements';
end;
