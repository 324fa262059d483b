-- Grain: one row per subject that is listed: a person, and the correction that their NIK is of (0: the roster's).
create or replace view listed_changes as
select
    a.recipient_id,
    a.nik_correction_id,
    a.version
from blacklist_changes as a
where
    a.op = 'ADD'
    and not exists (
        select from blacklist_changes as w
        where w.recipient_id = a.recipient_id and w.nik_correction_id = a.nik_correction_id and w.op = 'WITHDRAW'
    );
