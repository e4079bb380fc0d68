#!/usr/bin/env bash
# A real Apache Kafka on this machine, without Docker: fetches the jars by Maven once, then runs one broker in KRaft
# mode on Java 17 or newer.
#
#   broker.sh start DIR [PORT] [--until-exit-of PID]   starts it, prints its address, returns when it answers
#   broker.sh stop DIR                                 ends it, by the process id that `start` wrote
#   broker.sh status DIR                               prints its address, if it runs
#   broker.sh tool DIR CLASS ARGUMENT...               runs one of Kafka's tools on it, as TopicCommand --list
#   broker.sh fetch                                    only fetches the jars
#
# DIR holds everything that a broker writes; delete it to forget the data. A broker started again in the same DIR
# has the same data and port. Without PORT it takes a free one. With --until-exit-of it ends with that process, and DIR
# is deleted, so that a test which is killed leaves nothing behind. Exit status 69: Java or Maven is missing.
# Whatever it waits for has an end: four minutes for the jars, one for each other step.
# KAFKA_HEAP_OPTS is passed on to Java; the jars are kept in ${XDG_CACHE_HOME:-~/.cache}/vitals/kafka-VERSION.
# KAFKA_PROPERTIES names a file of more settings, with placeholders as in server.properties, over which they win (TLS,
# SASL); KAFKA_FORMAT_OPTIONS is passed on to the tool that formats the storage (`--add-scram=...` for a first user).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
jars=${XDG_CACHE_HOME:-$HOME/.cache}/vitals/kafka-$version
# For programs that end after a second: nothing in them is worth compiling for the long run.
brief=(-XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

say() { printf '%s\n' "$*" >&2; }
die() { say "broker.sh: $*"; exit 1; }

needs() {
    local found
    found=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -1) || true
    [ "${found:-0}" -ge 17 ] || { say "broker.sh: Java 17 or newer is missing"; exit 69; }
    [ -d "$jars" ] || command -v mvn >/dev/null || { say "broker.sh: Maven is missing"; exit 69; }
}

# The command, for at most so many seconds.
within() {
    local tenths=$(($1 * 10)) pid
    shift
    "$@" &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if [ $((tenths--)) -le 0 ]; then
            say "broker.sh: $1 does not end"
            kill -9 "$pid"
            return 1
        fi
        sleep 0.1
    done
    wait "$pid"
}

# Into a folder of its own first, so that a download cut off is never taken for a whole one.
fetch() {
    [ -d "$jars" ] && return
    mkdir -p "$(dirname "$jars")"
    local new
    new=$(mktemp -d "$jars.XXXXXX")
    say "fetching Apache Kafka $version"
    within 240 mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$new" >&2 ||
        { rm -rf "$new"; die "Maven could not fetch it"; }
    # Somebody else may have been faster.
    mv "$new" "$jars" 2>/dev/null && [ ! -e "$jars/$(basename "$new")" ] || rm -rf "$new" "$jars/$(basename "$new")"
}

# Runs as long as the process id in DIR/pid is a Java of this DIR: numbers of processes are used again.
running() {
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 1
    command_of "$pid" | grep -qF "$1/server.properties"
}

# The command line of a process. A bare Linux has no `ps`, other systems have no /proc.
command_of() {
    if [ -d /proc/self ]; then
        tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline"
    else
        ps -o command= -p "$1"
    fi 2>/dev/null
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range from which the system takes ports for outgoing connections.
free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 12000))
        answers "$port" || { echo "$port"; return; }
    done
    die "no free port"
}

prepare() {
    local dir=$1 port=$2
    mkdir -p "$dir/data"
    sed -e "s|@PORT@|$port|g" -e "s|@CONTROLLER@|$(free_port)|g" -e "s|@DATA@|$dir/data|g" \
        "$here/server.properties" ${KAFKA_PROPERTIES:+"$KAFKA_PROPERTIES"} >"$dir/server.properties"
    echo "$port" >"$dir/port"
    [ -e "$dir/data/meta.properties" ] && return
    local id
    id=$(head -c 16 /dev/urandom | base64 | tr -d = | tr '+/' 'AB')
    # shellcheck disable=SC2086 # options, split on purpose
    within 60 java "${brief[@]}" -cp "$jars/*" -Dlog4j2.configurationFile="$here/log4j2.yaml" kafka.tools.StorageTool \
        format -t "$id" -c "$dir/server.properties" --standalone ${KAFKA_FORMAT_OPTIONS:-} >>"$dir/broker.log" 2>&1
}

launch() {
    local dir=$1
    : >"$dir/broker.log"
    # What a broker unpacks there (a library each start) it leaves behind when it is killed.
    rm -rf "$dir/tmp"
    mkdir "$dir/tmp"
    # shellcheck disable=SC2086 # options, split on purpose
    nohup java ${KAFKA_HEAP_OPTS:--Xmx512m} -Djava.io.tmpdir="$dir/tmp" \
        -Dlog4j2.configurationFile="$here/log4j2.yaml" -cp "$jars/*" kafka.Kafka \
        "$dir/server.properties" >>"$dir/broker.log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    for _ in {1..600}; do
        grep -q 'Kafka Server started' "$dir/broker.log" && return
        kill -0 "$(cat "$dir/pid")" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

start() {
    local dir=$1 port=${2:-}
    if running "$dir"; then
        status "$dir"
        return
    fi
    fetch
    [ -n "$port" ] || port=$(cat "$dir/port" 2>/dev/null) || port=$(free_port)
    prepare "$dir" "$port" || die "the storage could not be formatted, see $dir/broker.log"
    launch "$dir" || { stop "$dir"; tail -20 "$dir/broker.log" >&2; die "it did not start, see $dir/broker.log"; }
    status "$dir"
}

stop() {
    local dir=$1 pid
    running "$dir" || return 0
    pid=$(cat "$dir/pid")
    kill "$pid"
    for _ in {1..200}; do
        kill -0 "$pid" 2>/dev/null || { rm -f "$dir/pid"; return; }
        sleep 0.1
    done
    kill -9 "$pid"
    rm -f "$dir/pid"
}

status() {
    running "$1" || { say "no broker runs in $1"; return 1; }
    echo "127.0.0.1:$(cat "$1/port")"
}

# Ends the broker when the process is gone, and forgets its data.
watch_over() {
    local dir=$1 owner=$2
    while kill -0 "$owner" 2>/dev/null; do
        running "$dir" || return
        sleep 1
    done
    stop "$dir"
    rm -rf "$dir"
}

tool() {
    local address
    address=$(status "$1")
    java "${brief[@]}" -Dlog4j2.configurationFile="$here/log4j2.yaml" -cp "$jars/*" \
        "org.apache.kafka.tools.$2" --bootstrap-server "$address" "${@:3}"
}

usage() { sed -n '5,9s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

command=${1:-}
[ $# -gt 0 ] && shift
if [ "$command" = tool ]; then
    [ $# -gt 1 ] || usage
    needs
    tool "$@"
    exit
fi
owner=
args=()
while [ $# -gt 0 ]; do
    case $1 in
    --until-exit-of) owner=${2:?}; shift 2 ;;
    *) args+=("$1"); shift ;;
    esac
done
case $command in
fetch) needs; fetch ;;
start | stop | status)
    [ ${#args[@]} -gt 0 ] || usage
    [ "$command" != start ] || needs
    mkdir -p "${args[0]}"
    dir=$(cd "${args[0]}" && pwd)
    "$command" "$dir" "${args[@]:1}"
    if [ -n "$owner" ]; then
        watch_over "$dir" "$owner" >/dev/null 2>&1 </dev/null &
    fi
    ;;
*) usage ;;
esac
