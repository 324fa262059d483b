-- Keys that people keep offline: a root was published, or endorsed a keyring. `key_id` begins the document's SHA-256.
alter table rotations drop constraint rotations_kind_check;
alter table rotations add constraint rotations_kind_check check (
    kind in (
        'signing_announced', 'signing_changed', 'signing_revoked', 'subject_changed', 'list_republished',
        'root_changed', 'keyring_endorsed'
    )
);
