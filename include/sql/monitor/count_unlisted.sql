-- Grain: one row, how many were revoked and are not listed, and how many were reinstated and are listed, though a
-- version was due since.
-- Parameters: before: the day; what happened on it has its version in the night.
select
    (
        select count(*)
        from revocations as v
        where
            v.revoked_on < :before
            and not exists (select from reinstatements as e where e.recipient_id = v.recipient_id)
            and not exists (
                select from blacklist_changes as c
                where c.recipient_id = v.recipient_id and c.op = 'ADD'
            )
    ) as not_added,
    (
        select count(*)
        from reinstatements as e
        where
            e.reinstated_on < :before
            and exists (select from listed_changes as l where l.recipient_id = e.recipient_id)
    ) as not_withdrawn
