-- Where the list of people gives keys, an approval counts only with a signature. `db upgrade` writes it: which list
-- counts is the owner's to say, and not whoever runs a process with another list.
alter table approval_rule add column must_be_signed boolean not null default false;
comment on column approval_rule.must_be_signed is 'whether the list of people that db upgrade was given has keys';

-- A signature is over the people's cards and NIKs, as they were when it was given.
alter table approvals add column identities_sha256 text;
comment on column approvals.identities_sha256 is 'in the signed text: over the batch''s cards and NIKs';
alter table approvals add constraint approvals_bind_identities
check (
    (signature is null) = (identities_sha256 is null)
    and (identities_sha256 is null or identities_sha256 ~ '^[0-9a-f]{64}$')
) not valid;

-- Who has approved without a signature, or in advance, may still sign; and nobody's nonsense is in the way of that.
drop index approvals_once;
create unique index approvals_once
on approvals (digest, approved_by, is_recorded_in_advance, hashtextextended(coalesce(signature, ''), 0));
-- Rows of before have no two of a digest and an approver: their order is the same.
update audited set ordered_by = '{digest,approved_by,signature}' where fact = 'approvals';
