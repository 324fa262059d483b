-- Grain: one row, the last position without a login, and the last version whose anchor may lack the warehouse's id.
select
    last_position,
    last_version
from public.audit_baseline
