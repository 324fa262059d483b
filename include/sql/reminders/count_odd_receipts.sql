-- Grain: one row per provider, kind and word of odd receipts: how many came, and since when. If a provider sends ever
-- new words, those beyond about a hundred are counted without the word.
-- Parameters: provider, whats, words, counts (arrays), at.
-- Role: receive.
with counted as (
    select
        t.what,
        case
            when exists (
                select from odd_receipts as o
                where o.provider = :provider and o.what = t.what and o.word = t.word
            ) then t.word
            when (select count(*) from odd_receipts as o where o.provider = :provider) < 100 then t.word
            else ''
        end as word,
        t.receipts
    from unnest(cast(:whats as text[]), cast(:words as text[]), cast(:counts as bigint[])) as t (what, word, receipts)
)

insert into odd_receipts (provider, what, word, receipts, first_at, last_at)
select
    cast(:provider as text),
    t.what,
    t.word,
    sum(t.receipts),
    cast(:at as timestamptz),
    cast(:at as timestamptz)
from counted as t
group by t.what, t.word
order by t.what, t.word
on conflict (provider, what, word) do update
    set receipts = odd_receipts.receipts + excluded.receipts, last_at = excluded.last_at
