-- Grain: one row per approved correction of a NIK in a batch, with the NIK before it. Undone in the order of the
-- decisions, from the last one backwards, they yield the identities of the batch at any earlier time.
create or replace function batch_corrections(of_digest text)
returns table (decision_number bigint, card_number bigint, nik_before bigint, is_first boolean)
language sql stable
begin atomic
    select
        d.decision_number,
        r.card_number,
        lag(v.nik, 1, r.nik) over of_person as nik_before,
        row_number() over of_person = 1 as is_first
    from correction_decisions as d
    inner join corrections as c on d.request = c.request
    inner join correction_values as v on c.correction_id = v.correction_id
    inner join batch_members as m on c.recipient_id = m.recipient_id
    inner join recipients as r on c.recipient_id = r.recipient_id
    where d.is_approved and m.digest = of_digest
    window of_person as (partition by c.recipient_id order by d.decision_number);
end;
