#!/bin/sh
# Sees to what a build needs: a Rust toolchain, a C and C++ compiler, make and libclang (RocksDB is compiled
# from its sources, and its bindings are made from its headers). On Debian and Ubuntu it installs what is
# missing; elsewhere it prints the line to run, and stops.
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
[ -z "$missing" ] && exit 0
missing=${missing%,}
say "a build needs, and does not find:$missing"

if have apt-get; then
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo; then
        as_root=sudo
    else
        say "run this as root:"
        say "  apt-get update && apt-get install -y build-essential libclang-dev"
        exit 1
    fi
    say "installing it with apt-get"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential libclang-dev
    exit 0
fi

say "this installs it:"
if have dnf; then
    say "  sudo dnf install -y gcc gcc-c++ make clang-devel"
elif have pacman; then
    say "  sudo pacman -S --needed base-devel clang"
elif have apk; then
    # A static Rust cannot load libclang, hence the flag.
    say "  sudo apk add build-base clang-dev linux-headers && export RUSTFLAGS='-C target-feature=-crt-static'"
elif have brew; then
    say "  xcode-select --install; brew install llvm && export LIBCLANG_PATH=\"\$(brew --prefix llvm)/lib\""
else
    say "  a C and C++ compiler, make and libclang, with the package manager of this system"
fi
exit 1
