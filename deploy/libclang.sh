#!/bin/sh
# Prints the libclang that the build will load, or exits with 1 if there is none.
#
# The names and folders are those of the crate clang-sys, which loads it (build/common.rs and build/dynamic.rs there): a
# check that looks elsewhere lets a build start that fails after minutes. libclang-cpp is another library, the C++
# interface, and does not count. With a folder as first argument it looks below that root; tests use it.
set -eu

root=${1:-}

look() {
    for name in libclang.so 'libclang-*.so' 'libclang.so.*' 'libclang-*.so.*' libclang.dylib; do
        # shellcheck disable=SC2086 # a pattern in both
        for file in $1/$name; do
            case $file in *-cpp.*) continue ;; esac
            if [ -f "$file" ]; then
                printf '%s\n' "$file"
                exit 0
            fi
        done
    done
}

if [ -n "${LIBCLANG_PATH:-}" ]; then
    # It may name the file or its folder, and is the only place then.
    case $LIBCLANG_PATH in
    *.so | *.so.* | *.dylib) if [ -f "$LIBCLANG_PATH" ]; then printf '%s\n' "$LIBCLANG_PATH" && exit 0; fi ;;
    esac
    look "$LIBCLANG_PATH"
    exit 1
fi

if [ -z "$root" ]; then
    if prefix=$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null); then
        for folder in bin lib lib64; do look "$prefix/$folder"; done
    fi
    if tools=$(xcode-select --print-path 2>/dev/null); then
        look "$tools/Toolchains/XcodeDefault.xctoolchain/usr/lib"
    fi
    saved=$IFS
    IFS=:
    for folder in ${LD_LIBRARY_PATH:-} ${LIBRARY_PATH:-}; do
        IFS=$saved
        look "$folder"
    done
    IFS=$saved
fi
case $(uname -s) in
Darwin)
    look "$root/usr/local/opt/llvm*/lib/llvm*/lib"
    look "$root/Library/Developer/CommandLineTools/usr/lib"
    look "$root/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib"
    look "$root/usr/local/opt/llvm*/lib"
    ;;
*)
    for folders in '/usr/local/llvm*/lib*' '/usr/local/lib*/*/*' '/usr/local/lib*/*' '/usr/local/lib*' \
        '/usr/lib*/*/*' '/usr/lib*/*' '/usr/lib*'; do
        look "$root$folders"
    done
    ;;
esac
exit 1
