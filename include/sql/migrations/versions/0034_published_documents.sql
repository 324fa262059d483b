-- What lies in the published folder beside the lists themselves: manifests, signatures, keyrings, keys and anchors.
-- Each is recorded before it is written. Whoever finishes a version or restores the folder writes these bytes and no
-- others, whatever keys and libraries there are by then. A list that is published anew under other keys is another
-- series.
create table published_documents (
    series integer not null check (series > 0),
    name text not null check (name ~ '^[a-z0-9-]+(/[A-Za-z0-9_.-]+)+$'),
    content bytea not null check (octet_length(content) <= 1000000),
    recorded_at timestamptz not null default now(),
    primary key (series, name)
);

alter table rotations drop constraint rotations_kind_check;
alter table rotations add constraint rotations_kind_check
check (kind in ('signing_announced', 'signing_changed', 'signing_revoked', 'subject_changed', 'list_republished'));
