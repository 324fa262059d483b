-- Grain: one row per reminder run: the recipients by how their reminder ended, and the messages by channel. `unknown`
-- has, by channel, the recipients whose message may have arrived; `billed` the messages and the segments that a
-- provider took or may have taken.
-- Parameters: cohort, remind_on (null: every run).
with runs as (
    select
        cohort,
        remind_on,
        deadline_on - remind_on as days_before,
        audience,
        texts
    from reminder_runs
    where
        (cast(:cohort as integer) is null or cohort = :cohort)
        and (cast(:remind_on as date) is null or remind_on = :remind_on)
),

people as (
    select
        r.cohort,
        r.remind_on,
        p.channel,
        p.state,
        count(*) as people
    from runs as r
    cross join lateral reminded_people(r.cohort, r.remind_on) as p
    group by r.cohort, r.remind_on, p.channel, p.state
),

ends as (
    select
        cohort,
        remind_on,
        sum(people) as targeted,
        sum(people) filter (where state = 'delivered') as delivered,
        sum(people) filter (where state = 'accepted') as accepted,
        sum(people) filter (where state = 'suppressed') as suppressed,
        sum(people) filter (where state = 'permanent_failure') as permanently_failed,
        sum(people) filter (where state = 'expired') as expired,
        sum(people) filter (where state in ('queued', 'sending', 'unknown', 'temporary_failure')) as unsettled,
        sum(people) filter (where state = 'temporary_failure') as temporarily_failed,
        sum(people) filter (where state in ('queued', 'sending')) as queued,
        jsonb_object_agg(channel, people) filter (where state = 'unknown') as unknown
    from people
    group by cohort, remind_on
),

messages as (
    select
        r.cohort,
        r.remind_on,
        m.channel,
        count(*) as messages,
        sum(m.segments) as segments
    from runs as r
    inner join reminders as m on r.cohort = m.cohort and r.remind_on = m.remind_on
    where m.segments is not null
    group by r.cohort, r.remind_on, m.channel
),

bills as (
    select
        cohort,
        remind_on,
        jsonb_object_agg(channel, jsonb_build_array(messages, segments)) as billed
    from messages
    group by cohort, remind_on
)

select
    r.cohort,
    r.remind_on,
    r.days_before,
    r.audience,
    r.texts,
    cast(coalesce(e.targeted, 0) as bigint) as targeted,
    cast(coalesce(e.delivered, 0) as bigint) as delivered,
    cast(coalesce(e.accepted, 0) as bigint) as accepted,
    cast(coalesce(e.suppressed, 0) as bigint) as suppressed,
    cast(coalesce(e.permanently_failed, 0) as bigint) as permanently_failed,
    cast(coalesce(e.expired, 0) as bigint) as expired,
    cast(coalesce(e.unsettled, 0) as bigint) as unsettled,
    cast(coalesce(e.temporarily_failed, 0) as bigint) as temporarily_failed,
    cast(coalesce(e.queued, 0) as bigint) as queued,
    coalesce(e.unknown, '{}') as unknown,
    coalesce(b.billed, '{}') as billed
from runs as r
left join ends as e on r.cohort = e.cohort and r.remind_on = e.remind_on
left join bills as b on r.cohort = b.cohort and r.remind_on = b.remind_on
order by r.cohort, r.remind_on
