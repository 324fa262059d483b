-- Grain: at most one row, the digest of a version's list by a contract, under a key.
-- Parameters: version, key_id, contract.
select l.result_sha256
from published_lists as l
where l.version = :version and l.key_id = :key_id and l.contract = :contract
