-- Grain: one choice of a recipient about a channel; none that says again what counts already.
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
