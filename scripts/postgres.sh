#!/usr/bin/env bash
# Starts a PostgreSQL of its own in a temporary folder, prints its address, and runs until standard input ends; then it stops the
# server and removes the folder. Tests start it and keep the pipe open: however they end, nothing is left behind.
#
#   scripts/postgres.sh            the address, on one line
#
# It listens on a socket in its folder only, so that it is in nobody's way and needs no password.
set -euo pipefail

initdb=$( (ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || true) | sort -V | tail -1)
initdb=${initdb:-$(command -v initdb || true)}
[ -n "$initdb" ] || { echo "scripts/postgres.sh: there is no PostgreSQL server here: run scripts/toolchain.sh test, or install it" >&2; exit 1; }
bin=$(dirname "$initdb")

folder=$(mktemp -d "${TMPDIR:-/tmp}/headroom-postgres.XXXXXX")
# The server refuses to run as root.
as_owner() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  chown postgres "$folder"
  as_owner() { (cd / && exec runuser -u postgres -- "$@"); }
fi

stop() {
  as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM HUP

as_owner "$initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$folder/log" 2>&1 ||
  { cat "$folder/log" >&2; exit 1; }
as_owner "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/data/server.log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$folder' -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=400" \
  start >"$folder/log" 2>&1 || { cat "$folder/log" "$folder/data/server.log" >&2; exit 1; }
echo "postgres://postgres@localhost/postgres?host=$folder"
cat >/dev/null
