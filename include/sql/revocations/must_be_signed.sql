-- Grain: one boolean, whether an approval counts only with a signature.
-- Parameters: none.
select must_be_signed
from approval_rule
