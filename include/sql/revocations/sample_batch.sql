-- Grain: one row per sampled member of a batch: the card's last digits, the region, the reason of the outcome, and the
-- number of accepted reminders.
-- Parameters: digest, count.
select
    right(r.card_number::text, 4) as card_ends,
    r.region_code,
    o.because,
    (
        select count(*)
        from reminders as m
        where m.recipient_id = r.recipient_id and m.state in ('accepted', 'delivered')
    ) as reminded
from batch_members as b
inner join recipients_in_force as r on b.recipient_id = r.recipient_id
inner join batches as a on b.digest = a.digest
inner join decisions as d on a.decision_id = d.decision_id
inner join outcomes as o on b.recipient_id = o.recipient_id and d.deadline_on = o.deadline_on
where b.digest = :digest
order by md5(b.digest || r.recipient_id)
limit :count
