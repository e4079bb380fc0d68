#!/bin/sh
# Sees to what a build needs: a Rust toolchain, a C and C++ compiler, make and libclang (RocksDB is compiled
# from its sources, and its bindings are made from its headers), pkg-config and the headers of OpenSSL and zlib
# (librdkafka is compiled, too, and speaks TLS by the system's OpenSSL). Tests against a real Kafka want Java 17 or
# newer and Maven, some of them openssl or kcat; without them they are skipped. On Debian and Ubuntu it installs what
# is missing; elsewhere it prints the line to run (kcat is not packaged everywhere), and stops if a build cannot do
# without.
set -eu

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# libclang is a library: look where distributions put it, or where LIBCLANG_PATH says.
have_libclang() {
    for place in "${LIBCLANG_PATH:-/nowhere}" /usr/lib /usr/lib64 /usr/local/lib /usr/lib/*-linux-gnu /usr/lib/llvm*/lib \
        /usr/lib64/llvm*/lib /opt/homebrew/opt/llvm/lib /usr/local/opt/llvm/lib \
        /Library/Developer/CommandLineTools/usr/lib \
        /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib; do
        for file in "$place"/libclang.so* "$place"/libclang-*.so* "$place"/libclang.dylib; do
            [ -e "$file" ] && return 0
        done
    done
    return 1
}

have_java() {
    have java || return 1
    version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -1)
    [ "${version:-0}" -ge 17 ]
}

if ! have cargo; then
    say "a Rust toolchain is missing; this installs one, then open a new shell:"
    say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    exit 1
fi

missing=
have cc || have gcc || have clang || missing="$missing a C compiler,"
have c++ || have g++ || have clang++ || missing="$missing a C++ compiler,"
have make || have gmake || missing="$missing make,"
have_libclang || missing="$missing libclang,"
have pkg-config || have pkgconf || missing="$missing pkg-config,"
pkg-config --exists openssl 2>/dev/null || missing="$missing the headers of OpenSSL,"
pkg-config --exists zlib 2>/dev/null || missing="$missing the headers of zlib,"
wanted=
have_java || wanted="$wanted Java 17,"
have mvn || wanted="$wanted Maven,"
have openssl || wanted="$wanted openssl,"
have kcat || wanted="$wanted kcat,"
[ -z "$missing$wanted" ] && exit 0
[ -z "$missing" ] || say "a build needs, and does not find:${missing%,}"
[ -z "$wanted" ] || say "tests against a real Kafka need, and do not find:${wanted%,}"

build="build-essential libclang-dev pkg-config libssl-dev zlib1g-dev"
if have apt-get; then
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo; then
        as_root=sudo
    else
        say "run this as root:"
        say "  apt-get update && apt-get install -y $build openjdk-17-jre-headless maven openssl kcat"
        [ -z "$missing" ] && exit 0
        exit 1
    fi
    install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
    say "installing it with apt-get"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update
    # shellcheck disable=SC2086 # a list of packages
    [ -z "$missing" ] || install $build
    [ -z "$wanted" ] || install openjdk-17-jre-headless maven || install openjdk-21-jre-headless maven ||
        say "no Java 17 or Maven here: the tests against a real Kafka will be skipped"
    # Apart: where one is not to be had, the others are.
    [ -z "$wanted" ] || install openssl kcat || say "no openssl or kcat here: the tests that use them will be skipped"
    exit 0
fi

say "this installs it:"
if have dnf; then
    say "  sudo dnf install -y gcc gcc-c++ make clang-devel pkgconf openssl-devel zlib-devel java-17-openjdk-headless maven openssl"
elif have pacman; then
    say "  sudo pacman -S --needed base-devel clang openssl zlib jre17-openjdk-headless maven"
elif have apk; then
    # A static Rust cannot load libclang, hence the flag.
    say "  sudo apk add build-base bash clang-dev linux-headers pkgconf openssl-dev zlib-dev openjdk17-jre-headless maven openssl && export RUSTFLAGS='-C target-feature=-crt-static'"
elif have brew; then
    say "  xcode-select --install; brew install llvm pkg-config openssl@3 openjdk@17 maven kcat && export LIBCLANG_PATH=\"\$(brew --prefix llvm)/lib\""
else
    say "  a C and C++ compiler, make, libclang, pkg-config, OpenSSL and zlib with headers, Java 17, Maven, openssl and kcat,"
    say "  with the package manager of this system"
fi
[ -z "$missing" ]
