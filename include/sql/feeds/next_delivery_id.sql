-- Grain: one number, the id for a delivery whose rows are loaded before its own row.
-- Parameters: none.
select nextval(pg_get_serial_sequence('deliveries', 'delivery_id'))
