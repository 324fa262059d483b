-- Grain: one waiver per delivery that a person accepted over its bound.
-- Parameters: delivery_id, accepted_by, because.
-- Role: ingest.
insert into waivers (delivery_id, accepted_by, because)
values (:delivery_id, :accepted_by, :because)
