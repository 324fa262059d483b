-- Grain: one choice of a recipient about a channel. A choice that is in force already adds no row, so the statement may
-- run twice.
-- Parameters: recipient_id, channel, is_opted_out, chosen_on, recorded_by.
-- Role: receive, remind.
insert into opt_outs (recipient_id, channel, is_opted_out, chosen_on, recorded_by)
select
    :recipient_id,
    :channel,
    :is_opted_out,
    :chosen_on,
    :recorded_by
where opted_out(:recipient_id, :channel) <> :is_opted_out
