-- Grain: one row per version's list by a contract, under a key; a publisher that finishes another's work has made the
-- very same list.
-- Parameters: version, key_id, contract, result_sha256.
-- Role: publish.
insert into published_lists (version, key_id, contract, result_sha256)
values (:version, :key_id, :contract, :result_sha256)
on conflict do nothing
