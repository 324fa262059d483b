-- Grain: one reminder run of a cohort and date, with what it is begun with; the first that begins it counts.
-- Without a roster none begins: whom it is for is settled when it does, and would stay nobody.
-- Parameters: cohort, remind_on, deadline_on, audience, texts, texts_sha256, at.
-- Role: remind.
insert into reminder_runs (cohort, remind_on, deadline_on, audience, texts, texts_sha256, begun_at)
select
    r.cohort,
    :remind_on,
    :deadline_on,
    :audience,
    :texts,
    :texts_sha256,
    :at
from rosters as r
where r.cohort = :cohort and r.status = 'accepted'
on conflict (cohort, remind_on) do nothing
