#!/bin/sh
# Create the secrets and folders that docker-compose.yaml needs. An existing file is never replaced.
# The directory is closed (0700) and the files in it are readable (0444): Compose bind-mounts them
# with the host's owner and mode, and the containers run under other uids.
set -eu
dir="${1:-secrets}"
mkdir -p "$dir"
chmod 0700 "$dir"
mkdir -p landing config # the platforms and the PMO deliver into the first; the second has the people and the calendar
for file in docker/people.yaml include/cohorts.yaml; do
    own="config/$(basename "$file")"
    [ -e "$own" ] || { cp "$file" "$own"; echo "made $own"; }
done
write() { # NAME VALUE: $dir/NAME.txt is there whole or not at all
    new="$dir/.$1.$$"
    printf '%s' "$2" > "$new"
    chmod 0444 "$new"
    mv -f "$new" "$dir/$1.txt"
    echo "made $dir/$1.txt"
}
keep() { # NAME: standard input becomes $dir/NAME.txt, with no trailing newline
    value="$(cat)"
    [ -n "$value" ] || { echo "$dir/$1.txt: openssl made nothing for it: run this again once openssl works" >&2; exit 1; }
    [ -s "$dir/$1.txt" ] || write "$1" "$value"
}
for name in postgres_password airflow_db_password warehouse_db_password worker_db_password operator_db_password \
    service_db_password receipts_db_password monitor_db_password reader_db_password redis_password airflow_jwt_secret airflow_api_secret_key; do
    openssl rand -hex 32 | keep "$name"
done
openssl genpkey -algorithm ed25519 | keep prakerja_signing_key # signs the blacklist's manifests
openssl pkey -in "$dir/prakerja_signing_key.txt" -pubout | keep prakerja_signing_public_key # readers pin it
openssl rand -base64 32 | keep prakerja_subject_key            # turns a NIK into a subject
openssl rand -base64 32 | keep prakerja_padding_key            # fills up the answers of the list's service
openssl rand -base64 32 | keep prakerja_contact_key            # seals names, phones and addresses in the warehouse
for key in signing_key_next subject_key_previous contact_key_previous; do # empty, except during a rotation
    [ -e "$dir/prakerja_$key.txt" ] || write "prakerja_$key" ""
done
for gateway in sms sms_fallback; do # each provider signs its receipts with its own
    openssl rand -base64 32 | keep "prakerja_receipts_secret_$gateway"
done
openssl rand -base64 32 | tr '+/' '-_' | keep airflow_fernet_key # url-safe base64 of 32 bytes
admin="$(openssl rand -hex 16)" operator="$(openssl rand -hex 16)" viewer="$(openssl rand -hex 16)"
[ -n "$viewer" ] && printf '{"admin": "%s", "operator": "%s", "viewer": "%s"}' "$admin" "$operator" "$viewer" | keep simple_auth_passwords
