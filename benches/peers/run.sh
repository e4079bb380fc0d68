#!/usr/bin/env bash
# The same job on the same broker, in one run: a bare consumer (the floor), Kafka Streams, Vitals. Prints what each
# spent, and what the broker spent for it, in microseconds of CPU an event.
#
#   benches/peers/run.sh [EVENTS] [floor|streams|vitals|all ...]
#
# The job: usage of 100,000 accounts over 30 days on 4 partitions, a tick every 100 ms of a log recorded at 400,000 events
# a second; count and sum per account and day, in state only, and per (type, plan, segment) and day, published: exactly
# once, committed every 100 ms. What was published is compared with the truth. The topic is loaded once and read
# from its beginning by each, so this is how fast each catches up; `all` is Vitals with its built-in metrics besides.
# Needs Linux, a JDK, Maven, and a built workspace. Everything is in a temporary folder (TMPDIR), and gone at the end.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
target=${CARGO_TARGET_DIR:-$root/target}
events=${1:-4000000}
[ $# -gt 0 ] && shift
peers=("$@")
[ ${#peers[@]} -gt 0 ] || peers=(floor streams vitals all)
work=$(mktemp -d)
pids=()

finish() {
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
    "$root/deploy/kafka/broker.sh" stop "$work/kafka" || true
    rm -rf "$work"
}
trap finish EXIT

# CPU in milliseconds: into `spent`, of the children that have ended (a subshell would have none); of one that runs.
children() {
    times >"$work/times"
    spent=$(tail -1 "$work/times" | sed 's/[ms]/ /g' | awk '{ printf "%d", ($1 * 60 + $2 + $3 * 60 + $4) * 1000 }')
}
of_process() { awk '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 10 }' "/proc/$1/stat"; }
now() { date +%s%3N; }

# name, milliseconds of CPU of the peer, of the broker, of the clock
row() {
    awk -v name="$1" -v own="$2" -v broker="$3" -v clock="$4" -v events="$events" 'BEGIN {
        printf "| %s | %.2f | %.2f | %.1f |\n", name, own * 1000 / events, broker * 1000 / events, clock / 1000
    }'
}

bench() { "$bench" "$@" --brokers "$brokers" --events "$events"; }

floor() { bench floor >"$work/floor.log"; }

streams() {
    local jars=${XDG_CACHE_HOME:-$HOME/.cache}/vitals/peers
    if [ ! -d "$jars/lib" ] || [ "$here/src" -nt "$jars/lib" ]; then
        mvn -q -B -f "$here/pom.xml" -Dinto="$jars" compile dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$jars/lib" >&2
    fi
    java -Xmx4g -cp "$jars/classes:$jars/lib/*" \
        vitals.peers.Streams "$brokers" vitals.events.v1 vitals.streams "$work/streams" "$events" \
        >"$work/streams.log" 2>&1
}

vitals() { process "$work/vitals.toml"; }

# What other definitions keep and published is made again.
all() {
    "$target/release/vitals" rebuild --brokers "$brokers" --config "$work/all.toml" --data "$work/vitals" >"$work/all.log" 2>&1
    process "$work/all.toml"
}

# CONFIG
process() {
    "$target/release/vitals" processor --brokers "$brokers" --config "$1" --data "$work/vitals" >>"$work/$peer.log" 2>&1 &
    local pid=$!
    pids+=("$pid")
    bench await-vitals
    kill "$pid"
    wait "$pid"
}

# CONFIG CATALOG
configure() { printf '[settings]\ncatalog = "%s"\n' "$2" >"$1"; }

cd "$root"
export CARGO_TARGET_DIR=$target
bench=$(cargo bench --workspace --locked --profile release --bench peers --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"peers".*"executable":"\([^"]*\)".*/\1/p')
brokers=$("$root/deploy/kafka/broker.sh" start "$work/kafka")
broker=$(cat "$work/kafka/pid")
configure "$work/vitals.toml" "$here/usage.yaml"
{ cat deploy/catalogs/crm.yaml && sed '1,/^metrics:/d' "$here/usage.yaml"; } >"$work/all.yaml"
configure "$work/all.toml" "$work/all.yaml"
"$target/release/vitals" topics create --partitions 4 --brokers "$brokers" --config "$work/all.toml" >"$work/topics.log"
bench load

echo "| peer | us of CPU an event | of the broker | seconds |"
echo "| --- | ---: | ---: | ---: |"
for peer in "${peers[@]}"; do
    children
    own=$spent others=$(of_process "$broker") begun=$(now)
    "$peer" || { grep -m 20 -E 'ERROR|error|Caused' "$work/$peer.log" >&2; exit 1; }
    children
    row "$peer" $((spent - own)) $(($(of_process "$broker") - others)) $(($(now) - begun))
    case $peer in
        streams) bench check-streams >&2 ;;
        vitals | all) bench check-vitals >&2 ;;
    esac
done
