-- Grain: one row, the number of revoked people who are not listed, and of reinstated people who are still listed,
-- although a version has been due since.
-- Parameters: before: the day. What happened on it is in the version of the following night.
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
