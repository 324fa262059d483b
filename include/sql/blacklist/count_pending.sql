-- Grain: one number, the recipients who must be added or withdrawn since the last version.
-- Parameters: revoked_by, reinstated_by: what happened later is for a later version.
select count(*) from pending_changes(:revoked_by, :reinstated_by)
