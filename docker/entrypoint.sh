#!/bin/sh
# Export the settings that the prakerja package reads from the environment from the secrets of this
# container. A variable that is set already takes precedence; a secret that is not mounted is skipped.
set -eu
umask 0027
secrets="${SECRETS_DIR:-/run/secrets}"

# A container has the password of one login: its own.
for login in warehouse:warehouse_db_password warehouse_worker:worker_db_password \
    warehouse_service:service_db_password warehouse_receipts:receipts_db_password \
    warehouse_monitor:monitor_db_password; do
    if [ -z "${PRAKERJA_DATABASE_URL:-}" ] && [ -f "$secrets/${login#*:}" ]; then
        PRAKERJA_DATABASE_URL="$(sh /opt/prakerja/docker/secret-url.sh \
            postgresql "${login%:*}" "${login#*:}" "${PRAKERJA_DATABASE_HOST:-postgres:5432}/warehouse")"
        export PRAKERJA_DATABASE_URL
    fi
done
if [ -z "${PRAKERJA_SIGNING_KEY:-}" ] && [ -f "$secrets/prakerja_signing_key" ]; then
    PRAKERJA_SIGNING_KEY="$(cat "$secrets/prakerja_signing_key")"
    export PRAKERJA_SIGNING_KEY
fi
if [ -z "${PRAKERJA_SUBJECT_KEY:-}" ] && [ -f "$secrets/prakerja_subject_key" ]; then
    PRAKERJA_SUBJECT_KEY="$(cat "$secrets/prakerja_subject_key")"
    export PRAKERJA_SUBJECT_KEY
fi
if [ -z "${PRAKERJA_CONTACT_KEY:-}" ] && [ -f "$secrets/prakerja_contact_key" ]; then
    PRAKERJA_CONTACT_KEY="$(cat "$secrets/prakerja_contact_key")"
    export PRAKERJA_CONTACT_KEY
fi
# The secret of each provider: prakerja_receipts_secret_sms becomes PRAKERJA_RECEIPTS_SECRET_SMS.
for file in "$secrets"/prakerja_receipts_secret_*; do
    name="$(basename "$file" | tr '[:lower:]' '[:upper:]')"
    if [ -f "$file" ] && [ -z "$(printenv "$name" || true)" ]; then
        export "$name=$(cat "$file")"
    fi
done
# The simple auth manager opens its password file for writing, to lock it, which a mounted secret
# does not allow: give it a private copy.
if [ -f "$secrets/simple_auth_passwords" ]; then
    umask 0077
    cat "$secrets/simple_auth_passwords" > "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    umask 0027
fi
exec "$@"
