#!/usr/bin/env bash
# Compares every row of every metric of a data directory with the oracle's, which computes them again from the log.
#
#     tests/oracle/check.sh DIR [oracle settings, as --time-zone Europe/Berlin; --hours for a catalog with 1h]
#
# Metrics that the catalog of the directory has not are left out. Where its `meaningful` lists less than orders, usage,
# answers and tickets, say so: --meaningful order,usage.recorded
#
# Exit status 1 if they differ. VITALS and ORACLE name other programs than those of the last build.
set -euo pipefail

data=${1:?usage: tests/oracle/check.sh DIR [settings]}
shift
built=${CARGO_TARGET_DIR:-$(dirname "${BASH_SOURCE[0]}")/../../target}/release
vitals=${VITALS:-$built/vitals}
oracle=${ORACLE:-$built/oracle}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$vitals" events --ticks --data "$data" > "$work/log.ndjson"

# "| name ..." of the table, and "label   value" of one metric.
names=$("$vitals" metrics --data "$data" | sed "s/[│┆|]/ /g" | awk 'NF > 3 && $1 ~ /^[a-z_]+$/ && $1 != "name" { print $1 }')
for name in $names; do
    "$vitals" metrics "$name" --data "$data" > "$work/metric"
    field() { sed -n "s/^$1  *//p" "$work/metric" | head -n 1; }
    IFS=$'\n'
    for window in $(field windows | sed 's/, */\n/g'); do
        for by in $(field by | sed 's/; */\n/g'); do
            case $by in
                nothing | account) set_by=() ;;
                *) set_by=(--by "$by") ;;
            esac
            "$vitals" query "$name" --window "$window" ${set_by[@]+"${set_by[@]}"} --format json --data "$data"
        done
    done
    unset IFS
done > "$work/rows.ndjson"

"$oracle" "$work/log.ndjson" "$@" --diff "$work/rows.ndjson" --only-present
