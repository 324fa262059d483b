-- Grain: one row per reminder run: of everybody who was meant, how it ended; what it took.
-- Parameters: cohort, remind_on (nulls: of all).
select
    r.cohort,
    r.remind_on,
    r.deadline_on - r.remind_on as days_before,
    r.audience,
    r.texts,
    p.targeted,
    p.delivered,
    p.accepted,
    p.suppressed,
    p.permanently_failed,
    p.expired,
    p.targeted - p.delivered - p.accepted - p.suppressed - p.permanently_failed - p.expired as unsettled,
    p.unknown_sms,
    p.unknown_email,
    p.temporarily_failed,
    p.queued,
    c.sms,
    c.segments,
    c.email
from reminder_runs as r
cross join
    lateral (
        select
            count(*) as targeted,
            count(*) filter (where state = 'delivered') as delivered,
            count(*) filter (where state = 'accepted') as accepted,
            count(*) filter (where state = 'suppressed') as suppressed,
            count(*) filter (where state = 'permanent_failure') as permanently_failed,
            count(*) filter (where state = 'expired') as expired,
            count(*) filter (where state = 'unknown' and channel = 'sms') as unknown_sms,
            count(*) filter (where state = 'unknown' and channel = 'email') as unknown_email,
            count(*) filter (where state = 'temporary_failure') as temporarily_failed,
            count(*) filter (where state in ('queued', 'sending')) as queued
        from reminded_people(r.cohort, r.remind_on)
    ) as p
cross join
    lateral (
        select
            -- what a provider took, or may have taken
            count(*) filter (where m.channel = 'sms' and m.segments is not null) as sms,
            coalesce(sum(m.segments) filter (where m.channel = 'sms'), 0) as segments,
            coalesce(sum(m.segments) filter (where m.channel = 'email'), 0) as email
        from reminders as m
        where m.cohort = r.cohort and m.remind_on = r.remind_on
    ) as c
where
    (cast(:cohort as integer) is null or r.cohort = :cohort)
    and (cast(:remind_on as date) is null or r.remind_on = :remind_on)
order by r.cohort, r.remind_on
