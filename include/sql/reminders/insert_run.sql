-- Grain: one reminder run of a cohort and date, with what it is begun with; the first that begins it counts.
-- Parameters: cohort, remind_on, deadline_on, audience, texts, texts_sha256, at.
-- Duty: remind.
insert into reminder_runs (cohort, remind_on, deadline_on, audience, texts, texts_sha256, begun_at)
values (:cohort, :remind_on, :deadline_on, :audience, :texts, :texts_sha256, :at)
on conflict (cohort, remind_on) do nothing
