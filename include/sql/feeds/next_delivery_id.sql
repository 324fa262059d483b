-- Grain: one number, the id of a delivery whose rows are loaded before it is recorded.
-- Parameters: none.
select nextval(pg_get_serial_sequence('deliveries', 'delivery_id'))
