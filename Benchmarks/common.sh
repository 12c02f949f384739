# What the benchmarks share: the machine, a PostgreSQL of their own, and the simulator in a process of its own. Sourced.
# shellcheck shell=bash

binary=$PWD/.build/release/zohosync
work=$(mktemp -d "${TMPDIR:-/tmp}/zohosync-bench.XXXXXX")
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
machine="$(nproc) x ${cpu:-unknown}, $(awk '/MemTotal/ {printf "%d GiB", $2 / 1048576 + 0.5}' /proc/meminfo)"
mkdir -p Benchmarks/results
results=Benchmarks/results/$(date -u +%Y%m%dT%H%M%SZ)-$commit.jsonl

simulator=
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
    as_server "$pg_bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

# --- PostgreSQL with its default settings, durability included ------------------------------------------------------

pg_bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/pg_ctl 2>/dev/null | sort -V | tail -n 1 || command -v pg_ctl)")
as_server() { # PostgreSQL refuses to run as root
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
mkdir -p "$work/pg"
chmod 755 "$work"
[ "$(id -u)" -ne 0 ] || chown postgres "$work/pg"
as_server "$pg_bin/initdb" -D "$work/pg/data" -U bench -A trust >/dev/null
pg_port=$((20000 + RANDOM % 20000))
as_server "$pg_bin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w start \
    -o "-p $pg_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/pg" >/dev/null
pg() { "$pg_bin/psql" -qAt "postgres://bench:bench@127.0.0.1:$pg_port/postgres" -c "$1"; }

# --- The simulator ---------------------------------------------------------------------------------------------------

start_simulator() { # options of `zohosync simulate`
    : >"$work/simulator.env"
    "$binary" simulate --port 0 "$@" >"$work/simulator.env" &
    simulator=$!
    until grep -q ORGANIZATION "$work/simulator.env"; do sleep 0.1; done
    # shellcheck disable=SC1091
    source "$work/simulator.env"
}
stop_simulator() {
    kill "$simulator"
    wait "$simulator" 2>/dev/null || true
    simulator=
}
calls() { # calls of the API that the simulator has answered
    local address=${ZOHO_API_URL#http://}
    exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'GET /_simulator/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    grep -o '"calls" *: *[0-9]*' <&3 | head -n 1 | grep -o '[0-9]*$'
    exec 3>&-
}
access_token() { # one that the simulator takes
    printf 'grant_type=refresh_token&refresh_token=%s&client_id=%s&client_secret=%s' \
        "$ZOHO_REFRESH_TOKEN" "$ZOHO_CLIENT_ID" "$ZOHO_CLIENT_SECRET" |
        python3 -c 'import json, sys, urllib.request
print(json.load(urllib.request.urlopen(sys.argv[1] + "/oauth/v2/token", sys.stdin.buffer.read()))["access_token"])' \
            "$ZOHO_ACCOUNTS_URL"
}
