#!/usr/bin/env bash
# Runs a test command on a machine that is busy with other things: ROUNDS times (5), beside BUSY processes (20) that only
# count.
#
#   tests/loaded.sh COMMAND...        as `BUSY=20 ROUNDS=5 tests/loaded.sh cargo test --release --locked --test it`
#
# Prints a line a round, with its seconds and the tests that failed; what a round printed is kept in a file of the folder
# that is named at the end. Exit status 1 if a round failed. The busy processes end with this script, however it ends.
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
rounds=${ROUNDS:-5}
busy=${BUSY:-20}
said=$(mktemp -d "${TMPDIR:-/tmp}/vitals-loaded.XXXXXX")
pids=()

idle() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
}
trap idle EXIT
trap 'exit 130' INT TERM

# Looks now and then whether the script still runs: it may have been killed.
count() {
    local n
    while kill -0 "$1" 2>/dev/null; do
        for ((n = 0; n < 1000000; n++)); do :; done
    done
}

for ((i = 0; i < busy; i++)); do
    count $$ &
    pids+=($!)
done

failed=0
for ((round = 1; round <= rounds; round++)); do
    begun=$SECONDS
    if "$@" >"$said/$round" 2>&1; then
        outcome=green
    else
        outcome="failed: $(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$said/$round" | tr '\n' ' ')"
        failed=1
    fi
    echo "round $round of $rounds beside $busy busy processes, $((SECONDS - begun)) s, load $(uptime | sed 's/.*load average[s]*: //'): $outcome"
done
echo "what each round printed: $said"
exit $failed
