#!/bin/sh
# Runs each target for so many seconds, from what the tests have as a beginning. Needs cargo-fuzz; the sanitizers are left
# out, so that RocksDB's prebuilt library links: what is looked for are panics, overflows, time and memory.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
command -v cargo-fuzz > /dev/null || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz' >&2; exit 1; }
# The coverage flags are unstable: they need a nightly compiler, or RUSTC_BOOTSTRAP=1 on a stable one.
export RUSTC_BOOTSTRAP=1
# cargo-fuzz has flags of its own, so the place of the prebuilt RocksDB is not in the program.
LD_LIBRARY_PATH=$(sed -n 's/^ROCKSDB_LIB_DIR = "\(.*\)"/\1/p' .cargo/config.toml 2> /dev/null || true)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
for target in mapping records files rows; do
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    case $target in
    mapping) for file in tests/cases/*/*.yaml deploy/mappings/*.yaml; do cp "$file" "$corpus/$(echo "$file" | tr / -)"; done ;;
    records) for file in tests/cases/*/*.csv; do { printf 'AA'; cat "$file"; } > "$corpus/$(echo "$file" | tr / -)"; done ;;
    files) cp ingest/src/files/orders.xlsx "$corpus" && gzip -c Makefile > "$corpus/gzip" ;;
    rows)
        for folder in tests/cases/*/; do
            for rows in "$folder"orders*.csv; do
                test -e "$folder/mapping.yaml" && test -e "$rows" || continue
                { cat "$folder/mapping.yaml"; printf '\0'; cat "$rows"; } > "$corpus/$(echo "$rows" | tr / -)"
            done
        done
        ;;
    esac
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1
done
