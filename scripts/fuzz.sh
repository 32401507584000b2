#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang in build-fuzz/ and runs them (docs/fuzzing.md).
# Usage: scripts/fuzz.sh [SECONDS [NAME...]]     SECONDS for each target (default: 3600); NAME: a target (default: all)
# Keeps new inputs in build-fuzz/corpus/NAME, and inputs that fail in build-fuzz/findings/. Exit status 1 on a finding.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-3600}
[ $# -gt 0 ] && shift
cmake --preset fuzz >/dev/null
if [ $# -eq 0 ]; then
    for source in fuzz/fuzz_*.c; do
        name=${source#fuzz/fuzz_}
        set -- "$@" "${name%.c}"
    done
fi
cmake --build build-fuzz --target $(printf 'fuzz_%s ' "$@") | tail -1
mkdir -p build-fuzz/findings
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 OMP_NUM_THREADS=1
failed=0
for name in "$@"; do
    mkdir -p "build-fuzz/corpus/$name"
    set -- "build-fuzz/corpus/$name"
    [ -d "fuzz/corpus/$name" ] && set -- "$@" "fuzz/corpus/$name"
    [ "$name" = weights ] && set -- "$@" tests/weights
    dictionary=
    [ -f "fuzz/dictionaries/$name" ] && dictionary=-dict=fuzz/dictionaries/$name
    log=build-fuzz/$name.log
    if build-fuzz/fuzz/fuzz_"$name" $dictionary -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=200000 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/findings/$name-" "$@" >"$log" 2>&1; then
        outcome=ok
    else
        outcome="FINDING: see $log"
        failed=1
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
    edges=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
    printf '%-14s %12s executions  %s  %s\n' "$name" "${executions:-0}" "${edges:-cov: 0}" "$outcome"
done
exit $failed
