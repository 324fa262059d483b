-- Grain: one reminder run of a cohort and date, with its audience and texts; the first insert wins. Without a roster no
-- run begins: its recipients are chosen when it begins, and there would be none.
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
