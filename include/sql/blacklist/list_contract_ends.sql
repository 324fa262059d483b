-- Grain: one row per contract of the list that ends or has ended; the day that was given last counts.
select distinct on (e.contract)
    e.contract,
    e.ends_on
from contract_ends as e
order by e.contract, e.end_id desc
