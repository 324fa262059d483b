-- Grain: one row per thing that is known of a recipient, in order of time. No card number and no name in it.
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

happened as (
    select
        a.recipient_id,
        wib_midnight(r.announced_on) as at,
        'selected' as what,
        json_build_object('cohort', a.cohort, 'deadline_on', r.deadline_on) as detail
    from asked as a
    inner join rosters as r on a.roster_id = r.roster_id
    union all
    select
        a.recipient_id,
        t.occurred_at,
        lower(t.event::text),
        json_build_object(
            'platform', d.platform, 'business_date', d.business_date, 'revision', d.revision, 'line', t.line,
            'arrived_on', d.arrived_on, 'is_in_force', f.delivery_id is not null
        )
    from asked as a
    inner join transactions as t on a.card_number = t.card_number
    inner join deliveries as d on t.delivery_id = d.delivery_id
    left join in_force as f on t.delivery_id = f.delivery_id
    union all
    select
        a.recipient_id,
        wib_midnight(d.business_date + 1),
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
        coalesce(m.submitted_at, wib_midnight(m.remind_on) + interval '9 hours'),
        'reminded',
        json_build_object(
            'channel', m.channel, 'state', m.state, 'why', m.failure, 'provider', m.provider, 'text', m.template,
            'lacks', nullif(m.lacks, 'nothing')
        )
    from asked as a
    inner join reminders as m on a.recipient_id = m.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(s.suspended_on),
        'suspended',
        json_build_object('because', s.because, 'is_permanent', s.is_permanent, 'suspended_by', s.suspended_by)
    from asked as a
    inner join suspensions as s on a.recipient_id = s.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(l.lifted_on),
        'suspension_lifted',
        json_build_object('because', l.because, 'lifted_by', l.lifted_by)
    from asked as a
    inner join suspension_lifts as l on a.recipient_id = l.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(w.withdrawn_on),
        'withdrawn',
        json_build_object('because', w.because, 'recorded_by', w.recorded_by)
    from asked as a
    inner join withdrawals as w on a.recipient_id = w.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(x.announced_on),
        'deadline_extended',
        json_build_object('deadline_on', x.deadline_on, 'because', x.because)
    from asked as a
    inner join extensions as x on a.cohort = x.cohort
    union all
    select
        a.recipient_id,
        wib_midnight(d.as_of) + interval '6 hours',
        'decided',
        json_build_object(
            'outcome', o.outcome, 'because', o.because, 'decision_id', d.decision_id, 'as_of', d.as_of,
            'deadline_on', d.deadline_on,
            'deliveries', (select count(*) from decision_deliveries as c where c.decision_id = d.decision_id),
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
        wib_midnight(p.approved_on) + make_interval(hours => case p.subject when 'revocation' then 6 else 2 end),
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
        wib_midnight(p.rejected_on) + make_interval(hours => case b.subject when 'revocation' then 6 else 2 end),
        'rejected',
        json_build_object('subject', b.subject, 'rejected_by', array[p.rejected_by], 'batch', left(p.digest, 16))
    from asked as a
    inner join batch_members as m on a.recipient_id = m.recipient_id
    inner join batches as b on m.digest = b.digest
    inner join rejections as p on b.digest = p.digest
    union all
    select
        a.recipient_id,
        wib_midnight(v.revoked_on) + interval '6 hours',
        'revoked',
        json_build_object(
            'effective_at', v.effective_at, 'reason', v.reason, 'approved_by', revoked_by(v),
            'batch', left(v.digest, 16)
        )
    from asked as a
    inner join revocations as v on a.recipient_id = v.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(l.found_on) + interval '2 hours',
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
        wib_midnight(e.reinstated_on) + interval '2 hours',
        'reinstated',
        json_build_object(
            'because', e.because, 'approved_by', coalesce(e.approvers, array[e.approved_by])
        )
    from asked as a
    inner join reinstatements as e on a.recipient_id = e.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(p.opened_on),
        'appealed',
        json_build_object('appeal', p.appeal_id, 'opened_by', p.opened_by)
    from asked as a
    inner join appeals as p on a.recipient_id = p.recipient_id
    union all
    select
        a.recipient_id,
        wib_midnight(i.decided_on) + interval '1 hour',
        case when i.is_upheld then 'appeal_upheld' else 'appeal_dismissed' end,
        json_build_object('appeal', p.appeal_id, 'because', i.because, 'decided_by', i.decided_by)
    from asked as a
    inner join appeals as p on a.recipient_id = p.recipient_id
    inner join appeal_decisions as i on p.appeal_id = i.appeal_id
    union all
    select
        a.recipient_id,
        wib_midnight(h.resolved_on) + interval '1 hour',
        'hold_resolved',
        json_build_object('is_purchased', h.is_purchased, 'because', h.because, 'resolved_by', h.resolved_by)
    from asked as a
    inner join hold_resolutions as h on a.recipient_id = h.recipient_id
    union all
    select
        a.recipient_id,
        v.created_at,
        case when c.op = 'ADD' then 'listed' else 'withdrawn_from_list' end,
        json_build_object('version', c.version)
    from asked as a
    inner join blacklist_changes as c on a.recipient_id = c.recipient_id
    inner join blacklist_versions as v on c.version = v.version
)

select
    recipient_id,
    at,
    what,
    detail
from happened
order by
    recipient_id,
    at,
    -- of one hour, causes come first
    array_position(array['decided', 'reinstatement_proposed', 'rejected', 'approved', 'revoked', 'reinstated'], what),
    what
