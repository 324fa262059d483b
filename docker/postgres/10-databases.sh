#!/bin/sh
# Runs once, when the data volume is empty: one login and one database for Airflow, one of each for the warehouse,
# neither able to connect to the other's; the roles of the warehouse's duties; and a login for each process that is
# reached from outside, and for who only reads, which may do that and nothing else.
set -eu
psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<SQL
\set airflow_password \`cat "${SECRETS_DIR:-/run/secrets}/airflow_db_password"\`
\set warehouse_password \`cat "${SECRETS_DIR:-/run/secrets}/warehouse_db_password"\`
\set service_password \`cat "${SECRETS_DIR:-/run/secrets}/service_db_password"\`
\set receipts_password \`cat "${SECRETS_DIR:-/run/secrets}/receipts_db_password"\`
\set monitor_password \`cat "${SECRETS_DIR:-/run/secrets}/monitor_db_password"\`
\set reader_password \`cat "${SECRETS_DIR:-/run/secrets}/reader_db_password"\`
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE ROLE warehouse LOGIN PASSWORD :'warehouse_password';
CREATE ROLE warehouse_service LOGIN PASSWORD :'service_password';
CREATE ROLE warehouse_receipts LOGIN PASSWORD :'receipts_password';
CREATE ROLE warehouse_monitor LOGIN PASSWORD :'monitor_password';
CREATE ROLE warehouse_reader LOGIN PASSWORD :'reader_password';
CREATE ROLE prakerja_app NOLOGIN;
CREATE ROLE prakerja_ingest NOLOGIN;
CREATE ROLE prakerja_decide NOLOGIN;
CREATE ROLE prakerja_remind NOLOGIN;
CREATE ROLE prakerja_receive NOLOGIN;
CREATE ROLE prakerja_publish NOLOGIN;
CREATE ROLE prakerja_serve NOLOGIN;
CREATE ROLE prakerja_show NOLOGIN;
CREATE ROLE prakerja_read NOLOGIN;
CREATE ROLE prakerja_look NOLOGIN;
GRANT prakerja_app, prakerja_ingest, prakerja_decide, prakerja_remind, prakerja_receive, prakerja_publish,
    prakerja_serve, prakerja_show, prakerja_read, prakerja_look TO warehouse WITH ADMIN OPTION;
GRANT prakerja_serve TO warehouse_service;
GRANT prakerja_receive TO warehouse_receipts;
GRANT prakerja_show TO warehouse_monitor;
GRANT prakerja_look TO warehouse_reader;
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE warehouse OWNER warehouse;
REVOKE CONNECT, TEMPORARY ON DATABASE airflow FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO warehouse_service, warehouse_receipts, warehouse_monitor, warehouse_reader;
SQL
