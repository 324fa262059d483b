-- Return the people who approved a revocation, in lower case: those who were counted, and everybody else who approved
-- its batch, then or later. For revocations from before approvers were stored one by one: the text with all of them.
create or replace function revoked_by(of_revocation revocations) returns text[]
language sql stable
begin atomic
    with approvers as (
        select coalesce(
            nullif(
                coalesce(of_revocation.approvers, '{}')
                || array(select a.approved_by from approvals as a where a.digest = of_revocation.digest),
                '{}'
            ),
            array[of_revocation.approved_by]
        ) as ids
    )

    select array(select distinct lower(i) from approvers as a cross join unnest(a.ids) as i order by 1);
end;
