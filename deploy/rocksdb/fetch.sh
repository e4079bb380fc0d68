#!/bin/sh
# Fetches the official prebuilt RocksDB of exactly the version that the build wants, and prints its folder.
#
# RocksDB's own project builds a library for each platform and publishes it for Java as org.rocksdb:rocksdbjni; it
# exports the whole C interface, so a program in Rust can link it and saves half an hour of compiling. The version is
# that of the crate librocksdb-sys in Cargo.lock, the checksum of each library is pinned in `checksums`, and what does
# not match is thrown away. The library is kept in ${XDG_CACHE_HOME:-~/.cache}/vitals/rocksdb-VERSION, outside the clone.
#
#   fetch.sh          prints the folder; fetches first, if it has to
#   fetch.sh cached   prints the folder if the library is there
#   fetch.sh wanted   prints the name of the library, if there is one for this platform
#
# Exit status 69: there is none for this platform, or it could not be fetched; the reason is on standard error. RocksDB is
# compiled from its sources then.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
say() { printf '%s\n' "rocksdb: $*" >&2; }
give_up() { say "$*"; exit 69; }

version=$(sed -n '/^name = "librocksdb-sys"/{n;s/^version = "[^+]*+\(.*\)"/\1/p;}' "$here/../../Cargo.lock")

case $(uname -s)-$(uname -m) in
Linux-x86_64) file=librocksdbjni-linux64.so ;;
Linux-aarch64 | Linux-arm64) file=librocksdbjni-linux-aarch64.so ;;
Darwin-arm64) file=librocksdbjni-osx-arm64.jnilib ;;
Darwin-x86_64) file=librocksdbjni-osx-x86_64.jnilib ;;
*) give_up "there is no prebuilt library for $(uname -s) on $(uname -m)" ;;
esac
case $file in
*.so)
    # The libraries for musl are others, and a static Rust could not load them.
    getconf GNU_LIBC_VERSION >/dev/null 2>&1 || give_up "the prebuilt library needs glibc"
    name=librocksdb.so
    ;;
*) name=librocksdb.dylib ;;
esac
checksum=$(sed -n "s/^$version $file //p" "$here/checksums")
[ -n "$checksum" ] || give_up "no checksum is pinned for $file of $version; add it to deploy/rocksdb/checksums"

folder=${XDG_CACHE_HOME:-$HOME/.cache}/vitals/rocksdb-$version

sum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# The linker writes a library's own name into the program. Only the name on macOS is not the one that we give it.
install_as() {
    mv "$1" "$2"
    case $2 in
    *.dylib)
        install_name_tool -id @rpath/librocksdb.dylib "$2"
        codesign --force --sign - "$2"
        ;;
    esac
}

fetch() {
    command -v mvn >/dev/null || give_up "Maven is missing, which fetches it"
    mkdir -p "$(dirname "$folder")"
    new=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    say "fetching the prebuilt library of version $version (92 MB, once)"
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack \
        -Dartifact="org.rocksdb:rocksdbjni:$version" -Dmdep.unpack.includes="$file" -DoutputDirectory="$new" \
        -DmarkersDirectory="$new/markers" >"$new/maven.log" 2>&1 ||
        { tail -5 "$new/maven.log" >&2; give_up "Maven could not fetch org.rocksdb:rocksdbjni:$version"; }
    [ -f "$new/$file" ] || give_up "there is no $file in org.rocksdb:rocksdbjni:$version"
    found=$(sum "$new/$file")
    [ "$found" = "$checksum" ] ||
        give_up "the checksum of $file is $found, pinned is $checksum: it is not used"
    rm -rf "$new/markers" "$new/maven.log"
    chmod 755 "$new"
    install_as "$new/$file" "$new/$name"
    # Another build may have been faster: its library is the same.
    mv "$new" "$folder" 2>/dev/null || [ -f "$folder/$name" ] || give_up "$folder cannot be written"
    rm -rf "$folder/$(basename "$new")"
}

case ${1:-fetch} in
wanted) printf '%s\n' "$file" ;;
cached) [ -f "$folder/$name" ] || exit 69; printf '%s\n' "$folder" ;;
fetch) [ -f "$folder/$name" ] || fetch; printf '%s\n' "$folder" ;;
*) say "use fetch.sh, fetch.sh cached or fetch.sh wanted"; exit 2 ;;
esac
