-- Grain: one roster, accepted or rejected.
-- May run twice: a fingerprint is recorded once. A second accepted roster of a cohort violates rosters_accepted.
-- Role: ingest.
insert into rosters (
    cohort, fingerprint, status, reason, detail, announced_on, deadline_on, sha256, rows, arrived_on
)
values (
    :cohort, :fingerprint, :status, :reason, :detail, :announced_on, :deadline_on, :sha256, :rows, :arrived_on
)
on conflict (cohort, fingerprint) do nothing
returning roster_id
