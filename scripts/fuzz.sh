#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang in build-fuzz/ and runs them (docs/fuzzing.md).
# Usage: scripts/fuzz.sh [--list] [--jobs N] [--fork N] [SECONDS [NAME...]]
#   SECONDS    for each target (default: 3600)
#   NAME       a target (default: all)
#   --list     prints the names of the targets
#   --jobs N   runs N targets at a time (default: 1)
#   --fork N   runs each target in N processes, which share their corpus
# Keeps new inputs in build-fuzz/corpus/NAME, and inputs that fail in build-fuzz/findings/. The last line is "N passed,
# N failed", over targets; exit status 1 on failures.
set -eu
cd "$(dirname "$0")/.."
jobs=1 fork=()
usage() {
    sed -n '/^# Usage/,/^set/p' "$0" | sed -n 's/^# //p'
    exit 2
}
list() {
    for source in fuzz/fuzz_*.c; do
        name=${source#fuzz/fuzz_}
        echo "${name%.c}"
    done
}
while [ $# -gt 0 ]; do
    case $1 in
        --list) list && exit ;;
        --jobs) jobs=${2:?} && shift 2 ;;
        --fork) fork=(-fork="${2:?}" -ignore_crashes=0) && shift 2 ;;
        -*) usage ;;
        *) break ;;
    esac
done
seconds=${1:-3600}
[[ $seconds =~ ^[0-9]+$ ]] || usage
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(list)

mkdir -p build-fuzz/findings build-fuzz/logs
if ! { cmake --preset fuzz && cmake --build build-fuzz --target $(printf 'fuzz_%s ' "$@"); } >build-fuzz/logs/build 2>&1; then
    grep -E 'rror|not found|unable' build-fuzz/logs/build | head -n 20
    echo "the fuzz build failed; it needs the packages clang, libclang-rt-14-dev and libomp-14-dev"
    echo "0 passed, $# failed"
    exit 1
fi

export UBSAN_OPTIONS=print_stacktrace=1 OMP_NUM_THREADS=1
# usage: run NAME: fuzzes one target; the status is that of libFuzzer, which is not 0 after a finding.
run() {
    local name=$1 log=build-fuzz/logs/$1 outcome=ok status=0 options=() folders=("build-fuzz/corpus/$1")
    mkdir -p "${folders[0]}"
    [ -d "fuzz/corpus/$name" ] && folders+=("fuzz/corpus/$name")
    [ "$name" = weights ] && folders+=(tests/weights)
    [ -f "fuzz/dictionaries/$name" ] && options+=("-dict=fuzz/dictionaries/$name")
    build-fuzz/fuzz/fuzz_"$name" "${options[@]}" "${fork[@]}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=100000 -print_final_stats=1 -artifact_prefix="build-fuzz/findings/$name-" "${folders[@]}" >"$log" 2>&1 ||
        { status=1 && outcome="FINDING: see $log"; }
    printf '%-16s %12s executions  %6s edges  %s\n' "$name" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p; s/^#\([0-9]*\).*/\1/p' "$log" | tail -n 1)" \
        "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -c6-)" "$outcome"
    return $status
}

failed=0 running=0 count=$#
for name in "$@"; do
    if [ $running -eq "$jobs" ]; then
        wait -n || failed=$((failed + 1))
        running=$((running - 1))
    fi
    run "$name" &
    running=$((running + 1))
done
for ((; running > 0; running--)); do wait -n || failed=$((failed + 1)); done
echo "$((count - failed)) passed, $failed failed"
[ $failed -eq 0 ]
