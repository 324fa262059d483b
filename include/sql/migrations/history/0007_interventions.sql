-- Decisions -----------------------------------------------------------------------------------------------------------

-- A deadline that is extended before anybody was revoked is decided again: the decision of the latest deadline counts.
alter table decisions add column overrides text[] not null default '{}';
comment on column decisions.overrides is 'the attempts that breakers stopped, and people answered for';

drop index decisions_made;
create unique index decisions_made on decisions (cohort, deadline_on) where status = 'made';

-- An outcome is of a recipient at a deadline. A million are written at once, in the transaction that records their
-- decision, and no key is checked row by row for what that transaction reads from the same tables.
alter table revocations
drop constraint revocations_recipient_id_fkey, add foreign key (recipient_id) references recipients;
alter table late_findings
drop constraint late_findings_recipient_id_fkey, add foreign key (recipient_id) references recipients;
alter table hold_resolutions
drop constraint hold_resolutions_recipient_id_fkey, add foreign key (recipient_id) references recipients;
alter table batch_members drop constraint batch_members_recipient_id_fkey;

alter table outcomes rename to outcomes_before;
alter table outcomes_before rename constraint outcomes_pkey to outcomes_before_pkey;
create table outcomes (
    recipient_id bigint not null,
    cohort integer not null,
    deadline_on date not null,
    outcome outcome not null,
    because text not null,
    delivery_id bigint,
    line bigint,
    primary key (recipient_id, deadline_on)
);
insert into outcomes
select
    o.recipient_id,
    d.cohort,
    d.deadline_on,
    o.outcome,
    o.because,
    o.delivery_id,
    o.line
from outcomes_before as o
inner join decisions as d on o.decision_id = d.decision_id;
drop table outcomes_before;
-- Who is asked for by outcome is few; who has bought is asked for by name.
create index outcomes_unbought on outcomes (cohort, deadline_on, outcome) where outcome in ('held', 'overdue');

-- A person answers for carrying on where a breaker stopped a decision: that attempt, by its id, on its evidence.
create table overrides (
    decision_id text primary key references decisions,
    overridden_by text not null,
    because text not null check (because <> ''),
    overridden_on date not null,
    recorded_at timestamptz not null default now()
);

-- The authorities -----------------------------------------------------------------------------------------------------

-- A deadline that was moved, as the calendar told it. Never earlier; what was promised once is not taken back.
create table extensions (
    cohort integer not null,
    deadline_on date not null,
    announced_on date not null,
    because text not null check (because <> ''),
    recorded_at timestamptz not null default now(),
    primary key (cohort, deadline_on)
);

-- Days on which nobody is revoked: of one cohort, or of all where it is null. A disaster, an inquiry, an election.
create table freezes (
    freeze_id bigint generated always as identity primary key,
    cohort integer,
    starts_on date not null,
    ends_on date,
    because text not null check (because <> ''),
    frozen_by text not null,
    frozen_on date not null,
    recorded_at timestamptz not null default now(),
    check (ends_on >= starts_on)
);
comment on column freezes.ends_on is 'the last frozen day; null until it is lifted';

create table freeze_lifts (
    freeze_id bigint primary key references freezes,
    because text not null check (because <> ''),
    lifted_by text not null,
    lifted_on date not null,
    recorded_at timestamptz not null default now()
);

-- People --------------------------------------------------------------------------------------------------------------

-- The evidence's functions come with the next revision; a suspension's end is a fact of its own.
drop function standing;
create table suspension_lifts (
    recipient_id bigint not null,
    suspended_on date not null,
    lifted_on date not null,
    because text not null check (because <> ''),
    lifted_by text not null,
    recorded_at timestamptz not null default now(),
    primary key (recipient_id, suspended_on),
    foreign key (recipient_id, suspended_on) references suspensions,
    check (lifted_on > suspended_on)
);
insert into suspension_lifts (recipient_id, suspended_on, lifted_on, because, lifted_by)
select
    recipient_id,
    suspended_on,
    lifted_on,
    because,
    'unknown'
from suspensions
where lifted_on is not null;
alter table suspensions
drop column lifted_on,
add column is_permanent boolean not null default false,
add column suspended_by text not null default 'unknown';
alter table suspensions alter column is_permanent drop default, alter column suspended_by drop default;

alter table withdrawals add column recorded_by text not null default 'unknown';
alter table withdrawals alter column recorded_by drop default;

-- A resolution is of the doubt that a decision had; found not to have bought, it holds for that decision alone.
alter table hold_resolutions add column deadline_on date;
update hold_resolutions as h
set deadline_on = o.deadline_on
from outcomes as o
where h.recipient_id = o.recipient_id;

-- What deliveries show later, and why somebody was reinstated ---------------------------------------------------------

alter table late_findings drop constraint late_findings_kind_check;
alter table late_findings add constraint late_findings_kind_check check (
    kind in (
        'reinstatement_proposed', 'deadline_extended', 'hold_resolvable', 'purchase_gone', 'damaged_row', 'spared',
        'late_purchase'
    )
);
alter table reinstatements add column because text not null default 'purchase'
check (because in ('purchase', 'deadline_extended', 'appeal'));
alter table reinstatements alter column because drop default;

-- A batch that stood to be approved, then another, then the first again: each time it is proposed is told.
create table proposals (
    proposal_id bigint generated always as identity primary key,
    digest text not null references batches,
    proposed_by text not null,
    proposed_on date not null,
    recorded_at timestamptz not null default now()
);
create index proposals_digest on proposals (digest);
insert into proposals (digest, proposed_by, proposed_on)
select
    digest,
    proposed_by,
    proposed_on
from batches
order by attempt;
