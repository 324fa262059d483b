-- Grain: one boolean, whether somebody answers for these changes of the list.
-- Parameters: digest.
select exists(
    select from publication_approvals as a
    where a.digest = :digest
)
