-- The people of a batch, a line each: card and NIK, in the order of the cards. A signature is over these lines, and the
-- publisher lists nobody who is not in them.
create or replace function batch_identities(of_digest text) returns text[]
language sql stable
begin atomic
    select array(
        select r.card_number || ' ' || r.nik
        from batch_members as m
        inner join recipients as r on m.recipient_id = r.recipient_id
        where m.digest = of_digest
        order by r.card_number
    );
end;
