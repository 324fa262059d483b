-- The recipients of a reminder, each with the first channel that reaches them and the template. `refused` says why
-- nothing is sent, or is null. By the evidence of its last refresh.
create or replace function reminder_targets(of_cohort integer, deadline_on date, as_of date, audience text)
returns table (recipient_id bigint, channel text, address text, template text, lacks text, refused text)
language sql stable
begin atomic
    with meant as (
        select
            s.recipient_id,
            case s.outcome when 'overdue' then 'not_purchased' else s.outcome::text end as template,
            s.because,
            s.recipient_id in (
                select x.recipient_id from suspended_at(reminder_targets.deadline_on, reminder_targets.as_of) as x
            ) as is_suspended,
            -- tokens: whether the phone is possible is checked before the submission
            nullif(r.phone_token, '') as phone,
            nullif(r.email_token, '') as email,
            coalesce((
                select h.lacks from hindrances as h
                where h.recipient_id = s.recipient_id
                order by h.hindrance_id desc
                limit 1
            ), 'nothing') as lacks
        from standing(of_cohort, reminder_targets.deadline_on, reminder_targets.as_of) as s
        inner join recipients_in_force as r on s.recipient_id = r.recipient_id
        where
            s.outcome in ('overdue', 'held')
            or (reminder_targets.audience = 'all' and s.outcome = 'purchased')
    ),

    chosen as (
        select
            m.*,
            n.channel as by_channel,
            n.address
        from meant as m
        left join lateral next_channel(m.recipient_id, m.phone, m.email, null) as n on true
    )

    select
        c.recipient_id,
        -- a recipient whom no channel reaches is counted under the first
        coalesce(c.by_channel, (reminder_channels())[1]),
        c.address,
        c.template,
        c.lacks,
        case
            when c.because = 'suspended' or c.is_suspended then 'suspended'
            when
                c.by_channel is null
                then case when coalesce(c.phone, c.email) is null then 'no_address' else 'opted_out' end
        end
    from chosen as c;
end;
