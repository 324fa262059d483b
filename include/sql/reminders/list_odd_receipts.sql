-- Grain: one row per provider, kind and word of recent odd receipts.
-- Parameters: since.
select
    provider,
    what,
    word,
    receipts,
    last_at
from odd_receipts
where last_at >= :since
order by provider, what, word
