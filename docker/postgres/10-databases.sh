#!/bin/sh
# Runs once, when the data volume is empty: one role and one database for Airflow, one of each for
# the warehouse, neither able to connect to the other's.
set -eu
psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<SQL
\set airflow_password \`cat "${SECRETS_DIR:-/run/secrets}/airflow_db_password"\`
\set warehouse_password \`cat "${SECRETS_DIR:-/run/secrets}/warehouse_db_password"\`
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE ROLE warehouse LOGIN PASSWORD :'warehouse_password';
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE warehouse OWNER warehouse;
REVOKE CONNECT, TEMPORARY ON DATABASE airflow FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE warehouse FROM PUBLIC;
SQL
