#!/bin/sh
# Print the URL of a database or broker, with its password from a secret file.
#   secret-url.sh SCHEME USER SECRET HOST_AND_PATH
# Airflow runs this for its ..._CMD settings and keeps a trailing newline as part of the value: none is printed.
# Passwords are hexadecimal (make secrets) and need no escaping.
set -eu
password="$(cat "/run/secrets/$3")"
case "$password" in
    '' | *[!0-9A-Za-z_-]*) echo "secret $3 is empty or holds a character that is not URL-safe" >&2; exit 1 ;;
esac
printf '%s://%s:%s@%s' "$1" "$2" "$password" "$4"
