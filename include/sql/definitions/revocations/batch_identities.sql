-- Return the people of a batch, one line each: card and NIK in force, in the order of the cards. A signature covers
-- these lines, and the publisher lists nobody who is not in them. `batch_corrections` has the earlier NIKs.
create or replace function batch_identities(of_digest text) returns text[]
language sql stable
begin atomic
    select array(
        select r.card_number || ' ' || coalesce(n.nik, r.nik)
        from batch_members as m
        inner join recipients as r on m.recipient_id = r.recipient_id
        left join niks_in_force as n on m.recipient_id = n.recipient_id
        where m.digest = of_digest
        order by r.card_number
    );
end;
