-- A B-tree refuses a text of more than 2,704 bytes, and with it the delivery that brings one. A hash index takes any.
drop index transactions_delivery_undone;
drop index transactions_undone;
create index transactions_delivery_undone on transactions (delivery_id) where event <> 'PAID';
-- What undoes a purchase is looked for by its transaction id.
create index transactions_undone on transactions using hash (transaction_id) where event <> 'PAID';
