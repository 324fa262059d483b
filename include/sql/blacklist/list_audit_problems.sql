-- Grain: one row per thing that is wrong with the log, or with the facts that it tells of.
select problem
from audit_problems()
