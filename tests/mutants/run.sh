#!/usr/bin/env bash
# Puts defects into Vitals that it must never have, one after the other, and sees that a test catches each: the one that
# the patch names. The tests pass without them.
#
#     tests/mutants/run.sh [NAME...]        NAME.patch in this folder; all without a name
#
# It works on a copy of the last commit, in the target directory. Exit status 1 if one survives, or does not apply.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
copy=$CARGO_TARGET_DIR/mutants
said=$CARGO_TARGET_DIR/mutants.log
# A mutant may hang.
limit=900

names=("$@")
[ ${#names[@]} -gt 0 ] || names=($(cd "$here" && printf '%s\n' *.patch | sed 's/\.patch$//'))

rm -rf "$copy"
git -C "$root" worktree prune
git -C "$root" worktree add --quiet --force --detach "$copy" HEAD
trap 'git -C "$root" worktree remove --force "$copy"' EXIT
cd "$copy"
# Below the root, cargo finds the root's own file about the prebuilt RocksDB.
case $copy in "$root"/*) ;; *) sh deploy/prepare.sh build ;; esac

catcher() { sed -n 's/^Caught by: //p' "$here/$1.patch"; }
run() { timeout $limit cargo test --release --workspace --locked --no-fail-fast -- "$@" >"$said" 2>&1; }

catchers=()
for name in "${names[@]}"; do
    catchers+=("$(catcher "$name")")
done
run "${catchers[@]}" || { tail -40 "$said"; echo "the tests fail without any mutant"; exit 1; }
for test in "${catchers[@]}"; do
    grep -qE "^test $test \.\.\. ok" "$said" || { echo "there is no test $test"; exit 1; }
done

survived=0
for name in "${names[@]}"; do
    test=$(catcher "$name")
    git apply "$here/$name.patch" || { echo "$name: the patch does not apply any more"; survived=1; continue; }
    if run "$test"; then
        outcome=SURVIVED survived=1
    elif grep -qE "^test $test \.\.\. FAILED|^    $test$" "$said"; then
        outcome="caught by $test"
    else
        outcome="DOES NOT RUN, see $said.$name" survived=1
        cp "$said" "$said.$name"
    fi
    echo "$name: $outcome"
    git checkout --quiet .
done
exit $survived
