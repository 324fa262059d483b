-- Grain: one row per batch whose people are to be added or withdrawn; `appeal` for withdrawals after appeals, and the
-- empty text for who is in no batch. Another NIK of a person who is listed is of no batch.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
select distinct p.digest
from pending_changes(:revoked_by, :reinstated_by) as p
where not p.is_replacement
order by p.digest
