#!/bin/sh
# Makes a database cluster on first use, from POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and PGDATA, then runs the command.
set -eu

: "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"

make_cluster() {
    : "${POSTGRES_PASSWORD:?is needed to make a database}"
    # Under another name until it is whole: a pod may be killed half-way.
    unfinished="$PGDATA.unfinished"
    rm -rf "$unfinished"
    mkdir -p "$unfinished"
    chmod 0700 "$unfinished"
    password_file=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$password_file"
    initdb --pgdata="$unfinished" --username="$POSTGRES_USER" --pwfile="$password_file" --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256
    rm "$password_file"
    echo "host all all all scram-sha-256" >> "$unfinished/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$unfinished/postgresql.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        echo "create database \"$POSTGRES_DB\"" | postgres --single -D "$unfinished" postgres > /dev/null
    fi
    if [ -d "$PGDATA" ]; then rmdir "$PGDATA"; fi
    mv "$unfinished" "$PGDATA"
}

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    make_cluster
fi
exec "$@"
