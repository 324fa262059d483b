-- Grain: one freeze.
-- Parameters: cohort, may be null for all; starts_on, ends_on, may be null; because, frozen_by, frozen_on.
-- Role: decide.
insert into freezes (cohort, starts_on, ends_on, because, frozen_by, frozen_on)
values (:cohort, :starts_on, :ends_on, :because, :frozen_by, :frozen_on)
returning freeze_id
