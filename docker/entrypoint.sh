#!/bin/sh
# Check that this user may write where the container writes, and run the command. Settings need no entrypoint:
# `docker compose exec` starts a process with the same ones.
set -eu
umask 0007 # group 0 owns the volumes, whichever uid has written to them
for folder in "$AIRFLOW_HOME" ${WRITES:-}; do
    refused="$folder"
    [ ! -d "$folder" ] || refused="$(find "$folder" -maxdepth 3 -type d ! -name lost+found ! \( -readable -writable -executable \) -print -prune -quit 2> /dev/null || true)"
    if [ -n "$refused" ]; then
        echo "uid $(id -u) with group $(id -g) may not write to $refused: run the container with group 0" \
            "(user: \"$(id -u):0\"), or, if another uid has used the volume, hand it over once:" \
            "docker compose run --rm --no-deps --user 0 --cap-add CHOWN --entrypoint chown SERVICE -R $(id -u):0 $folder" >&2
        exit 1
    fi
done
# The simple auth manager opens its password file for writing, to lock it, which a mounted secret does not allow: it gets
# a copy.
if [ -f /run/secrets/simple_auth_passwords ]; then
    (umask 0077 && cat /run/secrets/simple_auth_passwords > "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE")
fi
exec "$@"
