#!/bin/sh
# Makes the database `history` with the password of the secret HISTORY_PASSWORD_FILE, if there is none yet, and starts
# PostgreSQL.
set -eu
file=${HISTORY_PASSWORD_FILE:-/run/secrets/history_password}
if [ ! -s "$file" ]; then
    echo "starting PostgreSQL: $file holds no password; mount one there, or name it in HISTORY_PASSWORD_FILE" >&2
    exit 1
fi
programs=$(dirname "$(find /usr/lib/postgresql -name initdb | head -n 1)")
data=/var/lib/history/data
if [ ! -s "$data/PG_VERSION" ]; then
    "$programs/initdb" --pgdata "$data" --username runner --pwfile "$file" --auth scram-sha-256 \
        --encoding UTF8 --locale C >/dev/null
    echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
    # In the single-user mode nobody has to log in.
    echo 'CREATE DATABASE history' | "$programs/postgres" --single -D "$data" postgres >/dev/null
fi
exec "$programs/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
