-- Facts are appended, never edited; what is in force, who stands where and what is listed are views over them.
-- Cards are integers (sixteen digits fit a bigint; zeros are put back at the edges), so that sets join quickly.
-- recorded_at columns are for people who look; no decision reads them.

create function wib_midnight(day date) returns timestamptz
language sql immutable parallel safe
return day::timestamp at time zone 'Asia/Jakarta';

-- feeds ---------------------------------------------------------------------------------------------------------------

-- One row per delivery that was looked at: platform, business date, revision, and the fingerprint of what lay there.
create table deliveries (
    delivery_id bigint generated always as identity primary key,
    platform text not null,
    business_date date not null,
    revision bigint not null,
    fingerprint text not null,
    status text not null check (status in ('accepted', 'rejected')),
    reason text,
    detail text,
    generated_at timestamptz,
    arrived_on date not null,
    sha256 text,
    bytes bigint,
    rows bigint,
    amount_idr bigint,
    loaded bigint not null default 0,
    quarantined bigint not null default 0,
    quarantined_by_reason jsonb not null default '{}',
    duplicates bigint not null default 0,
    verdict jsonb,
    recorded_at timestamptz not null default now(),
    unique (platform, business_date, revision, fingerprint),
    check ((status = 'rejected') = (reason is not null)),
    check (status = 'rejected' or loaded + quarantined + duplicates = rows)
);
comment on column deliveries.arrived_on is 'the WIB day from which it is known; a decision as of an earlier one is not';
comment on column deliveries.verdict is 'the validation result: expectations and counts, no values';
create unique index deliveries_accepted on deliveries (platform, business_date, revision) where status = 'accepted';

create type transaction_event as enum ('PAID', 'CANCELLED', 'REFUNDED');

-- The ledger: one row per accepted row of a delivery, repeats within it dropped. Superseded revisions stay.
create table transactions (
    delivery_id bigint not null references deliveries,
    line bigint not null,
    event transaction_event not null,
    occurred_at timestamptz not null,
    card_number bigint not null,
    amount_idr integer not null,
    transaction_id text not null,
    course_id text not null,
    voucher_code text not null
);
create index transactions_card_number on transactions (card_number);
create index transactions_delivery_undone on transactions (delivery_id, transaction_id) where event <> 'PAID';

-- Rows that failed: kept as delivered, with every reason, and the cards that they might be about.
create table quarantine (
    delivery_id bigint not null references deliveries,
    line bigint not null,
    reasons text[] not null check (cardinality(reasons) > 0),
    delivered jsonb not null,
    might_be int8multirange not null,
    primary key (delivery_id, line)
);

create function deliveries_in_force(known_by date)
returns table (delivery_id bigint, platform text, business_date date, revision bigint, arrived_on date)
language sql stable parallel safe
begin atomic
    select distinct on (d.platform, d.business_date)
        d.delivery_id,
        d.platform,
        d.business_date,
        d.revision,
        d.arrived_on
    from deliveries as d
    where d.status = 'accepted' and d.arrived_on <= known_by
    order by d.platform, d.business_date, d.revision desc;
end;

-- cohorts -------------------------------------------------------------------------------------------------------------

create table rosters (
    roster_id bigint generated always as identity primary key,
    cohort integer not null,
    fingerprint text not null,
    status text not null check (status in ('accepted', 'rejected')),
    reason text,
    detail text,
    announced_on date,
    deadline_on date,
    sha256 text,
    rows bigint,
    arrived_on date not null,
    recorded_at timestamptz not null default now(),
    unique (cohort, fingerprint),
    check ((status = 'rejected') = (reason is not null))
);
create unique index rosters_accepted on rosters (cohort) where status = 'accepted';

-- Once in a lifetime (R24): a card and a NIK stand in one cohort only.
create table recipients (
    recipient_id bigint generated always as identity primary key,
    roster_id bigint not null references rosters,
    cohort integer not null,
    card_number bigint not null unique,
    nik bigint not null unique,
    full_name text not null,
    phone text not null,
    email text not null,
    region_code text not null
);
create index recipients_cohort on recipients (cohort);

-- R27: fraud suspends a balance for a time or for good; a suspended person is held, never revoked.
create table suspensions (
    recipient_id bigint not null references recipients,
    suspended_on date not null,
    lifted_on date,
    because text not null,
    recorded_at timestamptz not null default now(),
    primary key (recipient_id, suspended_on),
    check (lifted_on > suspended_on)
);

-- Recipients who left before the deadline: by their own wish, or revoked for another reason.
create table withdrawals (
    recipient_id bigint primary key references recipients,
    withdrawn_on date not null,
    because text not null,
    recorded_at timestamptz not null default now()
);

-- The daily number: where a cohort stood at the end of a day's intake.
create table standings (
    cohort integer not null,
    as_of date not null,
    selected bigint not null,
    purchased bigint not null,
    held bigint not null,
    at_risk bigint not null,
    overdue bigint not null,
    excluded bigint not null,
    recorded_at timestamptz not null default now(),
    primary key (cohort, as_of),
    check (selected = purchased + held + at_risk + overdue + excluded)
);

create type outcome as enum ('purchased', 'held', 'overdue', 'excluded');

-- Where each recipient of a cohort stands, from deliveries known by `known_by` with a business date up to
-- `last_business_date`. The window is [announced 00:00 WIB, deadline + 1 00:00 WIB); a purchase counts unless it was
-- undone before `undone_before`. `overdue` here means: no purchase, no doubt (before the deadline: at risk).
create function standing(
    of_cohort integer,
    announced_on date,
    deadline_on date,
    settlement_days integer,
    last_business_date date,
    known_by date,
    undone_before timestamptz
)
returns table (recipient_id bigint, outcome outcome, because text, delivery_id bigint, line bigint)
language sql stable
begin atomic
    with in_force as materialized (
        select
            f.delivery_id,
            f.platform,
            f.business_date
        from deliveries_in_force(known_by) as f
        where f.business_date <= last_business_date
    ),

    undone as (
        select distinct
            f.platform,
            t.transaction_id
        from transactions as t
        inner join in_force as f on t.delivery_id = f.delivery_id
        where t.event <> 'PAID' and t.occurred_at < undone_before
    ),

    purchases as (
        select distinct on (t.card_number)
            t.card_number,
            t.delivery_id,
            t.line
        from recipients as r
        inner join transactions as t on r.card_number = t.card_number
        inner join in_force as f on t.delivery_id = f.delivery_id
        where
            r.cohort = of_cohort
            and t.event = 'PAID'
            and t.occurred_at >= wib_midnight(standing.announced_on)
            and t.occurred_at < wib_midnight(standing.deadline_on + 1)
            and not exists (
                select from undone as u
                where u.platform = f.platform and u.transaction_id = t.transaction_id
            )
        order by t.card_number, t.occurred_at, f.platform, f.business_date, t.line
    ),

    doubts as (
        select distinct on (r.recipient_id)
            r.recipient_id,
            q.delivery_id,
            q.line
        from quarantine as q
        inner join in_force as f on q.delivery_id = f.delivery_id
        cross join lateral unnest(q.might_be) as cards
        inner join recipients as r on r.card_number >= lower(cards) and r.card_number < upper(cards)
        where
            r.cohort = of_cohort
            and f.business_date between standing.announced_on and standing.deadline_on + settlement_days
        order by r.recipient_id, f.business_date, f.platform, q.line
    ),

    suspended as (
        select distinct s.recipient_id
        from suspensions as s
        where
            s.suspended_on <= standing.deadline_on and (s.lifted_on is null or s.lifted_on > standing.deadline_on)
            and s.suspended_on <= known_by
    )

    select
        r.recipient_id,
        case
            when w.recipient_id is not null then 'excluded'
            when p.card_number is not null then 'purchased'
            when s.recipient_id is not null or d.recipient_id is not null then 'held'
            else 'overdue'
        end::outcome,
        case
            when w.recipient_id is not null then 'withdrawn'
            when p.card_number is not null then 'purchase'
            when s.recipient_id is not null then 'suspended'
            when d.recipient_id is not null then 'damaged_row'
            else 'no_purchase'
        end,
        case when w.recipient_id is null then coalesce(p.delivery_id, d.delivery_id) end,
        case when w.recipient_id is null then coalesce(p.line, d.line) end
    from recipients as r
    left join purchases as p on r.card_number = p.card_number
    left join doubts as d on r.recipient_id = d.recipient_id
    left join suspended as s on r.recipient_id = s.recipient_id
    left join withdrawals as w on r.recipient_id = w.recipient_id and w.withdrawn_on <= known_by
    where r.cohort = of_cohort;
end;

-- revocations ---------------------------------------------------------------------------------------------------------

-- One row per decision that was tried on distinct evidence. A blocked one names why; one per cohort is carried.
create table decisions (
    decision_id text primary key,
    cohort integer not null,
    roster_id bigint not null references rosters,
    status text not null check (status in ('made', 'blocked')),
    reason text,
    detail text,
    announced_on date not null,
    deadline_on date not null,
    settlement_days integer not null,
    as_of date not null,
    selected bigint not null,
    purchased bigint not null,
    held bigint not null,
    overdue bigint not null,
    excluded bigint not null,
    missing_feeds text[] not null default '{}',
    recorded_at timestamptz not null default now(),
    attempt bigint generated always as identity,
    check ((status = 'blocked') = (reason is not null)),
    check (status = 'blocked' or selected = purchased + held + overdue + excluded)
);
create unique index decisions_made on decisions (cohort) where status = 'made';

-- The exact deliveries that a decision saw in force.
create table decision_deliveries (
    decision_id text not null references decisions,
    delivery_id bigint not null references deliveries,
    primary key (decision_id, delivery_id)
);

-- One decision per recipient, ever.
create table outcomes (
    recipient_id bigint primary key references recipients,
    decision_id text not null references decisions,
    outcome outcome not null,
    because text not null,
    delivery_id bigint references deliveries,
    line bigint
);
create index outcomes_decision on outcomes (decision_id, outcome);

create table approvals (
    decision_id text not null references decisions,
    subject text not null check (subject in ('revocation', 'reinstatement')),
    approved_by text not null,
    approved_on date not null,
    is_recorded_in_advance boolean not null,
    recorded_at timestamptz not null default now(),
    primary key (decision_id, subject, approved_by, approved_on)
);

-- A decision is carried out once: who was spared then is not revoked by a run that is cleared later.
create table carried_out (
    decision_id text primary key references decisions,
    carried_out_on date not null,
    recorded_at timestamptz not null default now()
);

create table revocations (
    recipient_id bigint primary key references outcomes,
    decision_id text not null references decisions,
    reason text not null check (reason = 'NO_FIRST_PURCHASE'),
    effective_at timestamptz not null,
    approved_by text not null,
    revoked_on date not null,
    recorded_at timestamptz not null default now()
);

-- What later deliveries showed about a decided recipient. Nothing is revoked or undone by it alone.
create table late_findings (
    recipient_id bigint not null references outcomes,
    kind text not null
    check (kind in ('reinstatement_proposed', 'hold_resolvable', 'purchase_gone', 'damaged_row', 'spared')),
    found_on date not null,
    delivery_id bigint references deliveries,
    line bigint,
    recorded_at timestamptz not null default now(),
    primary key (recipient_id, kind)
);

create table reinstatements (
    recipient_id bigint primary key references revocations,
    approved_by text not null,
    reinstated_on date not null,
    recorded_at timestamptz not null default now()
);

-- reminders -----------------------------------------------------------------------------------------------------------

-- The outbox: one row per recipient, cohort, reminder date and channel, written before anything is sent.
create table reminders (
    reminder_id bigint generated always as identity primary key,
    recipient_id bigint not null references recipients,
    cohort integer not null,
    remind_on date not null,
    channel text not null,
    template text not null,
    state text not null default 'queued'
    check (state in ('queued', 'sending', 'accepted', 'failed')),
    idempotency_key uuid not null unique default gen_random_uuid(),
    provider_id text,
    failure text,
    recorded_at timestamptz not null default now(),
    unique (recipient_id, cohort, remind_on, channel)
);
create index reminders_unsent on reminders (cohort, remind_on) where state in ('queued', 'sending');

-- blacklist -----------------------------------------------------------------------------------------------------------

-- A row is written before its files: a publisher that died is finished by the next one, with the same bytes.
create table blacklist_versions (
    version bigint primary key,
    occasion text not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    data_as_of jsonb not null,
    recorded_at timestamptz not null default now()
);

create table blacklist_changes (
    version bigint not null references blacklist_versions,
    op text not null check (op in ('ADD', 'WITHDRAW')),
    recipient_id bigint not null references revocations,
    reason text not null,
    primary key (version, recipient_id)
);
