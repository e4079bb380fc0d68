#!/usr/bin/env bash
# The demo on a real Apache Kafka: a broker, the topics, then `vitals demo` with a fleet of its own: three processors,
# a sink and, once the past year of the company is over, two doors.
#
#   demo.sh VITALS [--data DIR] [FLAGS OF vitals demo]
#
# Everything is below DIR (without one: a new folder among the temporary files): the broker in DIR/kafka, what each
# process says in DIR/ROLE-N.log. Started again with the same DIR, it continues with the same company. Ctrl-C ends all of it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vitals=${1:?usage: demo.sh VITALS [--data DIR] [FLAGS]}
shift
dir=
flags=()
while [ $# -gt 0 ]; do
    case $1 in
    --data) dir=${2:?--data needs a folder}; shift 2 ;;
    --data=*) dir=${1#--data=}; shift ;;
    *) flags+=("$1"); shift ;;
    esac
done
[ -n "$dir" ] || dir=$(mktemp -d "${TMPDIR:-/tmp}/vitals-demo-kafka.XXXXXX")
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

trap '"$here/broker.sh" stop "$dir/kafka"' EXIT
# Ctrl-C reaches the demo, too: it ends its fleet first, then the broker is stopped.
trap : INT TERM
brokers=$("$here/broker.sh" start "$dir/kafka")
sed "s|@DATA@|$dir|g" "$here/demo.toml" >"$dir/vitals.toml"
"$vitals" topics create --brokers "$brokers" >/dev/null
"$vitals" --config "$dir/vitals.toml" demo --brokers "$brokers" --data "$dir" ${flags[@]+"${flags[@]}"}
