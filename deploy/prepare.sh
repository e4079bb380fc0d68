#!/bin/sh
# Prepares a machine for `prepare.sh build` (the default) or `prepare.sh test`, and tells cargo where RocksDB is.
#
# A build needs a Rust toolchain, a C and C++ compiler, make, libclang (the bindings of RocksDB are made from its header),
# pkg-config and the headers of OpenSSL (librdkafka is compiled, and speaks TLS by the system's OpenSSL). RocksDB itself
# comes prebuilt by Maven (deploy/rocksdb/fetch.sh); where it cannot be had, or with ROCKSDB=source, it is compiled, which
# takes half an hour on two cores. Tests against a real Kafka want Java 17 or newer and Maven, some of them openssl or
# kcat, those of notifications Alertmanager and Python with pip, those of the dashboard Node 20, npm and Chromium; without them
# they are skipped.
#
# On Debian and Ubuntu it installs what is missing and nothing else, and upgrades nothing that is there. Elsewhere it
# prints the line to run, and stops if a build cannot do without.
set -eu

goal=${1:-build}
here=$(cd "$(dirname "$0")" && pwd)

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

java_at_least() {
    have java || return 1
    version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -1)
    [ "${version:-0}" -ge "$1" ]
}

# What a build cannot do without, and what only makes it faster or tests more: names for people, packages for Debian.
look_around() {
    missing='' wanted='' packages='' extras=''
    have cc || have gcc || have clang || { missing="$missing a C compiler," packages="$packages gcc libc6-dev"; }
    have c++ || have g++ || have clang++ || { missing="$missing a C++ compiler," packages="$packages g++"; }
    have make || have gmake || { missing="$missing make," packages="$packages make"; }
    sh "$here/libclang.sh" >/dev/null || { missing="$missing libclang," packages="$packages libclang-dev"; }
    have pkg-config || have pkgconf || { missing="$missing pkg-config," packages="$packages pkg-config"; }
    pkg-config --exists openssl 2>/dev/null || [ -n "${OPENSSL_DIR:-}" ] ||
        { missing="$missing the headers of OpenSSL," packages="$packages libssl-dev"; }

    if [ "$goal" = test ]; then
        java_at_least 17 || { wanted="$wanted Java 17," extras="$extras default-jre-headless"; }
        have openssl || { wanted="$wanted openssl," extras="$extras openssl"; }
        have kcat || { wanted="$wanted kcat," extras="$extras kcat"; }
        have prometheus-alertmanager || { wanted="$wanted Alertmanager," extras="$extras prometheus-alertmanager"; }
        have python3 || { wanted="$wanted Python," extras="$extras python3"; }
        have node || { wanted="$wanted Node," extras="$extras nodejs"; }
        have npm || { wanted="$wanted npm," extras="$extras npm"; }
        have chromium || { wanted="$wanted Chromium," extras="$extras chromium"; }
        python3 -m pip --version >/dev/null 2>&1 || { wanted="$wanted pip," extras="$extras python3-pip"; }
    fi
    if [ "$goal" = test ] || wants_prebuilt; then
        have mvn || { wanted="$wanted Maven," extras="$extras maven"; }
    fi
}

wants_prebuilt() {
    [ "${ROCKSDB:-}" != source ] && [ -z "${ROCKSDB_LIB_DIR:-}" ] &&
        sh "$here/rocksdb/fetch.sh" wanted >/dev/null 2>&1 && ! sh "$here/rocksdb/fetch.sh" cached >/dev/null 2>&1
}

apt_install() {
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo; then
        as_root=sudo
    else
        say "run this as root:"
        say "  apt-get update && apt-get install -y --no-upgrade$packages$extras"
        return
    fi
    install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-upgrade --no-install-recommends "$@"; }
    say "installing$packages$extras"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update
    # shellcheck disable=SC2086 # a list of packages
    [ -z "$packages" ] || install $packages
    # One by one: where one cannot be had, the others are.
    for package in $extras; do
        install "$package" || say "no $package here"
    done
}

print_line() {
    say "this installs it:"
    if have dnf; then
        say "  sudo dnf install -y gcc gcc-c++ make clang-devel pkgconf openssl-devel java-17-openjdk-headless maven openssl"
    elif have pacman; then
        say "  sudo pacman -S --needed base-devel clang openssl jre17-openjdk-headless maven"
    elif have apk; then
        # A static Rust cannot load libclang, hence the flag.
        say "  sudo apk add build-base bash clang-dev linux-headers pkgconf openssl-dev openjdk17-jre-headless maven openssl && export RUSTFLAGS='-C target-feature=-crt-static'"
    elif have brew; then
        say "  xcode-select --install; brew install llvm pkg-config openssl@3 openjdk@17 maven kcat && export LIBCLANG_PATH=\"\$(brew --prefix llvm)/lib\""
    else
        say "  a C and C++ compiler, make, libclang, pkg-config, OpenSSL with headers, Java 17, Maven, openssl and kcat,"
        say "  with the package manager of this system"
    fi
}

# Cargo reads this file whoever starts it: make, an editor, a shell. The run path lets the program find the library where
# it stands. With other flags in RUSTFLAGS cargo ignores these, so they have to name the run path, too.
tell_cargo() {
    file=$here/../.cargo/config.toml
    mark='# Made by deploy/prepare.sh: where the prebuilt RocksDB is.'
    if [ -f "$file" ] && ! grep -qF "$mark" "$file"; then
        say "$file is not ours and stays as it is: RocksDB is where it says, or is compiled"
        return
    fi
    if [ -z "$1" ]; then
        rm -f "$file"
        return
    fi
    path="-Clink-arg=-Wl,-rpath,$1"
    case ${RUSTFLAGS-none} in
    none | *"$path"*) ;;
    *) say "RUSTFLAGS hides the run path of RocksDB; run this and try again: export RUSTFLAGS=\"\$RUSTFLAGS $path\"" && exit 1 ;;
    esac
    mkdir -p "$here/../.cargo"
    printf '%s\n\n[env]\nROCKSDB_LIB_DIR = "%s"\n\n[target."cfg(all())"]\nrustflags = ["%s"]\n' "$mark" "$1" "$path" >"$file.new"
    if cmp -s "$file.new" "$file"; then rm "$file.new"; else mv "$file.new" "$file"; fi
}

case $goal in
build | test) ;;
*) say "use prepare.sh build or prepare.sh test" && exit 2 ;;
esac
if ! have cargo; then
    say "a Rust toolchain is missing; this installs one, then open a new shell:"
    say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    exit 1
fi

look_around
if [ -n "$missing$wanted" ]; then
    [ -z "$missing" ] || say "a build needs, and does not find:${missing%,}"
    [ -z "$wanted" ] || say "useful, and not found:${wanted%,}"
    if have apt-get; then apt_install; else print_line; fi
    look_around
    [ -z "$wanted" ] || say "without${wanted%,}: what needs it is skipped, and RocksDB is compiled without Maven"
    [ -z "$missing" ] || { say "still missing:${missing%,}" && exit 1; }
fi

# A library named by hand is used as it is.
[ -z "${ROCKSDB_LIB_DIR:-}" ] || exit 0
if [ "${ROCKSDB:-}" != source ] && library=$(sh "$here/rocksdb/fetch.sh"); then
    tell_cargo "$library"
else
    say "RocksDB is compiled from its sources: half an hour on two cores, once"
    tell_cargo ''
fi
