-- Grain: one row per channel, template, missing step and reason to send nothing: how many recipients it is about.
-- Parameters: cohort, deadline_on, as_of, audience.
select
    channel,
    template,
    lacks,
    refused,
    count(*) as people
from reminder_targets(:cohort, :deadline_on, :as_of, :audience)
group by channel, template, lacks, refused
order by array_position(reminder_channels(), channel), template desc, lacks, refused nulls first
