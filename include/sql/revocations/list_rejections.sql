-- Grain: one row per rejection of a batch, in the order in which they were recorded.
-- Parameters: digest.
select
    rejected_by,
    rejected_on
from rejections
where digest = :digest
order by rejection_id
