-- Grain: one boolean, whether the log has this hash at this position.
-- Parameters: position, hash.
select exists(
    select from audit_log as l
    where l.position = :position and encode(l.hash, 'hex') = :hash
)
