-- The locks of `warehouse.exclusive`, a table for each duty. Rows are added when they are first asked for.
-- Whether the session in a row still holds it is told by the advisory lock `sign_of_life` (take_lock).
create table ingest_locks (
    name text primary key,
    pid integer,
    login text,
    application text,
    since timestamptz,
    sign_of_life bigint
);
create table decide_locks (like ingest_locks including all);
create table remind_locks (like ingest_locks including all);
create table publish_locks (like ingest_locks including all);

-- What functions of the owner hold until the end of a transaction (lock_name).
create table function_locks (name text primary key);
