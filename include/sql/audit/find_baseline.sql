-- Grain: one row, the last position without a login and the last version whose anchor may be without the warehouse's
-- id.
-- Parameters: none.
select
    last_position,
    last_version
from public.audit_baseline
