#!/bin/sh
# Set up an empty data volume, once: a database for Airflow and one for the warehouse, each with an owner; the database
# roles and a login for each kind of process (logins.sql); and the passwords.
# A volume of an earlier version needs logins.sql once by hand: see docs/runbooks/machine.md.
set -eu
secrets="${SECRETS_DIR:-/run/secrets}"
as_superuser() { psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" "$@"; }
as_superuser --dbname postgres <<SQL
CREATE ROLE airflow LOGIN;
CREATE ROLE warehouse LOGIN;
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE warehouse OWNER warehouse;
SQL
as_superuser --dbname warehouse --file "${LOGINS:-/opt/prakerja/logins.sql}"
for login in airflow:airflow warehouse:warehouse worker:warehouse_worker operator:warehouse_operator \
    service:warehouse_service receipts:warehouse_receipts monitor:warehouse_monitor reader:warehouse_reader; do
    as_superuser --dbname postgres <<SQL
\set password \`cat "$secrets/${login%:*}_db_password"\`
ALTER ROLE ${login#*:} PASSWORD :'password';
SQL
done
