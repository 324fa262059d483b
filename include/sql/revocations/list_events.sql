-- Grain: one row per event that is known about a recipient, in order of time, without card numbers and names.
-- Events outside the warehouse (purchases, messages) have the instant at which they occurred. Recorded facts are in the
-- order of recording and have the instant of recording (`event_at`), which is never before that of an earlier record,
-- even in a replay. `about_on` is the day that a fact is about.
-- Parameters: recipient_ids.
with asked as materialized (
    select
        recipient_id,
        roster_id,
        cohort,
        card_number
    from recipients
    where recipient_id = any(cast(:recipient_ids as bigint[]))
),

in_force as materialized (
    select delivery_id
    from deliveries_in_force('infinity')
),

versions as (
    select
        version,
        recorded_at,
        created_at,
        (created_at at time zone 'Asia/Jakarta')::date as created_on
    from blacklist_versions
),

occurred as (
    select
        a.recipient_id,
        t.occurred_at as at,
        lower(t.event::text) as what,
        json_build_object(
            'platform', d.platform, 'business_date', d.business_date, 'revision', d.revision, 'line', t.line,
            'arrived_on', d.arrived_on, 'is_in_force', f.delivery_id is not null
        ) as detail
    from asked as a
    inner join transactions as t on a.card_number = t.card_number
    inner join deliveries as d on t.delivery_id = d.delivery_id
    left join in_force as f on t.delivery_id = f.delivery_id
    union all
    select
        a.recipient_id,
        coalesce(m.submitted_at, m.settled_at, n.begun_at, m.recorded_at),
        'reminded',
        json_build_object(
            'channel', m.channel, 'state', m.state, 'why', m.failure, 'provider', m.provider, 'text', m.template,
            'lacks', nullif(m.lacks, 'nothing')
        )
    from asked as a
    inner join reminders as m on a.recipient_id = m.recipient_id
    left join reminder_runs as n on m.cohort = n.cohort and m.remind_on = n.remind_on
),

-- Whether each run was live or a replay, by the facts that runs record each day.
runs as materialized (
    select
        recorded_at,
        event_at(recorded_at, as_of, interval '0') <> recorded_at as is_replay
    from standings
    union all
    select
        recorded_at,
        event_at(recorded_at, as_of, interval '0') <> recorded_at
    from decisions
    union all
    select
        recorded_at,
        event_at(recorded_at, created_on, interval '0') <> recorded_at
    from versions
),

-- `day_at` is the instant by the day that a fact was recorded for. If a fact has no such day, the next run shows
-- whether it was recorded live. If not, `replay_at` is the instant in the replay, or null if only the day is known on
-- which the fact takes effect.
recorded as (
    select
        a.recipient_id,
        r.recorded_at,
        null::timestamptz as day_at,
        wib_midnight(r.arrived_on) + interval '2 hours' as replay_at,
        r.announced_on as about_on,
        'selected' as what,
        json_build_object('cohort', a.cohort, 'deadline_on', r.deadline_on) as detail
    from asked as a
    inner join rosters as r on a.roster_id = r.roster_id
    union all
    select
        a.recipient_id,
        d.recorded_at,
        null,
        wib_midnight(d.arrived_on) + interval '2 hours',
        d.business_date,
        'doubtful_row',
        json_build_object(
            'platform', d.platform, 'business_date', d.business_date, 'revision', d.revision, 'line', q.line,
            'arrived_on', d.arrived_on, 'is_in_force', f.delivery_id is not null, 'reasons', q.reasons
        )
    from quarantine as q
    inner join deliveries as d on q.delivery_id = d.delivery_id
    left join in_force as f on q.delivery_id = f.delivery_id
    cross join lateral unnest(q.might_be) as cards
    inner join asked as a on a.card_number >= lower(cards) and a.card_number < upper(cards)
    union all
    select
        a.recipient_id,
        s.recorded_at,
        null,
        null,
        s.suspended_on,
        'suspended',
        json_build_object('because', s.because, 'is_permanent', s.is_permanent, 'suspended_by', s.suspended_by)
    from asked as a
    inner join suspensions as s on a.recipient_id = s.recipient_id
    union all
    select
        a.recipient_id,
        l.recorded_at,
        null,
        null,
        l.lifted_on,
        'suspension_lifted',
        json_build_object('because', l.because, 'lifted_by', l.lifted_by)
    from asked as a
    inner join suspension_lifts as l on a.recipient_id = l.recipient_id
    union all
    select
        a.recipient_id,
        w.recorded_at,
        null,
        null,
        w.withdrawn_on,
        'withdrawn',
        json_build_object('because', w.because, 'recorded_by', w.recorded_by)
    from asked as a
    inner join withdrawals as w on a.recipient_id = w.recipient_id
    union all
    select
        a.recipient_id,
        x.recorded_at,
        null,
        null,
        x.announced_on,
        'deadline_extended',
        json_build_object('deadline_on', x.deadline_on, 'because', x.because)
    from asked as a
    inner join extensions as x on a.cohort = x.cohort
    union all
    select
        a.recipient_id,
        d.recorded_at,
        event_at(d.recorded_at, d.as_of, interval '6 hours'),
        null,
        d.as_of,
        'decided',
        json_build_object(
            'outcome', o.outcome, 'because', o.because, 'decision_id', d.decision_id, 'as_of', d.as_of,
            'deadline_on', d.deadline_on,
            'deliveries', (select count(*) from decision_deliveries as c where c.decision_id = d.decision_id),
            'second_reading', (
                select
                    json_build_object(
                        'agrees', f.recipient_id is null, 'outcome', coalesce(f.second_outcome, o.outcome::text),
                        'first_outcome', coalesce(f.first_outcome, o.outcome::text),
                        'platform', v.platform, 'business_date', v.business_date, 'line', f.second_line
                    )
                from second_readings as s
                left join reading_differences as f
                    on s.decision_id = f.decision_id and f.recipient_id = a.recipient_id
                left join deliveries as v on f.second_delivery_id = v.delivery_id
                where s.decision_id = d.decision_id
            ),
            'overridden', (
                select json_agg(json_build_object('reason', b.reason, 'by', v.overridden_by, 'because', v.because))
                from overrides as v
                inner join decisions as b on v.decision_id = b.decision_id
                where v.decision_id = any(d.overrides)
            ),
            'reminders_accepted', (
                select count(*)
                from reminders as m
                where m.recipient_id = a.recipient_id and m.state in ('accepted', 'delivered')
            )
        )
    from asked as a
    inner join outcomes as o on a.recipient_id = o.recipient_id
    inner join decisions as d on o.cohort = d.cohort and o.deadline_on = d.deadline_on and d.status = 'made'
    union all
    select
        a.recipient_id,
        p.recorded_at,
        event_at(
            p.recorded_at, p.approved_on, make_interval(hours => case p.subject when 'revocation' then 6 else 2 end)
        ),
        null,
        p.approved_on,
        'approved',
        json_build_object(
            'subject', p.subject, 'approved_by', array[p.approved_by], 'batch', left(p.digest, 16),
            'is_recorded_in_advance', p.is_recorded_in_advance, 'is_signed', p.signature is not null
        )
    from asked as a
    inner join batch_members as m on a.recipient_id = m.recipient_id
    inner join approvals as p on m.digest = p.digest
    union all
    select
        a.recipient_id,
        p.recorded_at,
        event_at(
            p.recorded_at, p.rejected_on, make_interval(hours => case b.subject when 'revocation' then 6 else 2 end)
        ),
        null,
        p.rejected_on,
        'rejected',
        json_build_object('subject', b.subject, 'rejected_by', array[p.rejected_by], 'batch', left(p.digest, 16))
    from asked as a
    inner join batch_members as m on a.recipient_id = m.recipient_id
    inner join batches as b on m.digest = b.digest
    inner join rejections as p on b.digest = p.digest
    union all
    select
        a.recipient_id,
        v.recorded_at,
        event_at(v.recorded_at, v.revoked_on, make_interval(hours => case b.subject when 'hold' then 2 else 6 end)),
        null,
        v.revoked_on,
        'revoked',
        json_build_object(
            'effective_at', v.effective_at, 'reason', v.reason, 'approved_by', revoked_by(v),
            'batch', left(v.digest, 16)
        )
    from asked as a
    inner join revocations as v on a.recipient_id = v.recipient_id
    left join batches as b on v.digest = b.digest
    union all
    select
        a.recipient_id,
        l.recorded_at,
        event_at(l.recorded_at, l.found_on, make_interval(hours => case l.kind when 'spared' then 6 else 2 end)),
        null,
        l.found_on,
        case l.kind when 'deadline_extended' then 'reinstatement_proposed' else l.kind end,
        json_build_object(
            'platform', d.platform, 'business_date', d.business_date, 'revision', d.revision, 'line', l.line
        )
    from asked as a
    inner join late_findings as l on a.recipient_id = l.recipient_id
    left join deliveries as d on l.delivery_id = d.delivery_id
    union all
    select
        a.recipient_id,
        e.recorded_at,
        event_at(e.recorded_at, e.reinstated_on, interval '2 hours'),
        null,
        e.reinstated_on,
        'reinstated',
        json_build_object(
            'because', e.because, 'approved_by', coalesce(e.approvers, array[e.approved_by])
        )
    from asked as a
    inner join reinstatements as e on a.recipient_id = e.recipient_id
    union all
    select
        a.recipient_id,
        p.recorded_at,
        event_at(p.recorded_at, p.opened_on, interval '2 hours'),
        null,
        p.opened_on,
        'appealed',
        json_build_object('appeal', p.appeal_id, 'opened_by', p.opened_by)
    from asked as a
    inner join appeals as p on a.recipient_id = p.recipient_id
    union all
    select
        a.recipient_id,
        i.recorded_at,
        event_at(i.recorded_at, i.decided_on, interval '2 hours'),
        null,
        i.decided_on,
        case when i.is_upheld then 'appeal_upheld' else 'appeal_dismissed' end,
        json_build_object('appeal', p.appeal_id, 'because', i.because, 'decided_by', i.decided_by)
    from asked as a
    inner join appeals as p on a.recipient_id = p.recipient_id
    inner join appeal_decisions as i on p.appeal_id = i.appeal_id
    union all
    select
        a.recipient_id,
        h.recorded_at,
        event_at(h.recorded_at, h.resolved_on, interval '2 hours'),
        null,
        h.resolved_on,
        'hold_resolved',
        json_build_object('is_purchased', h.is_purchased, 'because', h.because, 'resolved_by', h.resolved_by)
    from asked as a
    inner join hold_resolutions as h on a.recipient_id = h.recipient_id
    union all
    select
        a.recipient_id,
        c.recorded_at,
        event_at(c.recorded_at, c.corrected_on, interval '2 hours'),
        null,
        c.corrected_on,
        case when c.request is null then 'corrected' else 'correction_proposed' end,
        json_build_object(
            'fields', c.fields, 'because', c.because, 'corrected_by', c.corrected_by, 'request', left(c.request, 16)
        )
    from asked as a
    inner join corrections as c on a.recipient_id = c.recipient_id
    union all
    select
        a.recipient_id,
        d.recorded_at,
        event_at(d.recorded_at, d.decided_on, interval '2 hours'),
        null,
        d.decided_on,
        case when d.is_approved then 'corrected' else 'correction_dismissed' end,
        json_build_object(
            'fields', c.fields, 'because', d.because, 'decided_by', d.decided_by, 'request', left(c.request, 16),
            'is_signed', d.signature is not null
        )
    from asked as a
    inner join corrections as c on a.recipient_id = c.recipient_id
    inner join correction_decisions as d on c.request = d.request
    union all
    select
        a.recipient_id,
        v.recorded_at,
        event_at(v.recorded_at, v.created_on, v.created_at - wib_midnight(v.created_on)),
        null,
        v.created_on,
        case when c.op = 'ADD' then 'listed' else 'withdrawn_from_list' end,
        json_build_object('version', c.version)
    from asked as a
    inner join blacklist_changes as c on a.recipient_id = c.recipient_id
    inner join versions as v on c.version = v.version
),

-- Facts of one statement have one instant: causes come first, then any order that is stable.
placed as (
    select
        r.recipient_id,
        r.what,
        r.about_on,
        r.detail,
        case
            when r.day_at is not null then r.day_at
            when n.is_replay then r.replay_at
            else r.recorded_at
        end as at,
        row_number() over (
            partition by r.recipient_id
            order by
                r.recorded_at,
                array_position(
                    array[
                        'selected', 'correction_proposed', 'correction_dismissed', 'corrected', 'doubtful_row',
                        'suspended', 'suspension_lifted', 'withdrawn', 'deadline_extended', 'decided',
                        'hold_resolvable', 'hold_resolved', 'purchase_gone', 'damaged_row', 'late_purchase',
                        'reinstatement_proposed', 'rejected', 'approved', 'revoked', 'spared', 'appealed',
                        'appeal_dismissed', 'appeal_upheld', 'reinstated', 'listed', 'withdrawn_from_list'
                    ],
                    r.what
                ),
                r.about_on,
                r.detail::text collate "C"
        ) as place
    from recorded as r
    left join
        lateral (
            select u.is_replay
            from runs as u
            order by u.recorded_at < r.recorded_at, abs(extract(epoch from u.recorded_at - r.recorded_at))
            limit 1
        ) as n
        on r.day_at is null
),

-- A fact without an instant has the day on which it takes effect, but never comes after a later record.
dated as (
    select
        p.*,
        coalesce(
            p.at,
            least(
                wib_midnight(p.about_on),
                min(p.at)
                    over (partition by p.recipient_id order by p.place rows between current row and unbounded following)
            )
        ) as earliest
    from placed as p
),

happened as (
    select
        o.recipient_id,
        o.at,
        o.what,
        null::date as about_on,
        o.detail,
        0 as place
    from occurred as o
    union all
    select
        d.recipient_id,
        max(d.earliest) over (partition by d.recipient_id order by d.place),
        d.what,
        d.about_on,
        d.detail,
        d.place
    from dated as d
)

select
    recipient_id,
    at,
    what,
    about_on,
    detail
from happened
order by recipient_id, at, place, what, detail::text collate "C"
