#!/bin/sh
# Runs once, when the data volume is empty: a database for Airflow and one for the warehouse, each with an owner; then
# logins.sql, which makes the duties' roles and a login for each kind of process; then their passwords.
# A volume of before needs logins.sql once by hand: see docs/runbooks/machine.md.
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
