#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang in build-fuzz/ and runs them (docs/fuzzing.md).
# Usage: scripts/fuzz.sh [--list] [--totals] [--folder FOLDER] [--built] [--jobs N] [--fork N] [--until N]
#        [--length N] [--timeout N] [SECONDS [NAME...]]
#   SECONDS    for each target (default: 3600)
#   NAME       a target (default: all)
#   --list     prints the names of the targets
#   --totals   prints the sums over the runs in runs.tsv, as rows of the table in docs/fuzzing.md
#   --folder FOLDER  uses this folder instead of build-fuzz/
#   --built    runs the targets as they are, without building them
#   --jobs N   runs N targets at a time (default: 1)
#   --fork N   runs each target in N processes, which share their corpus
#   --until N  ends a target when all its runs in runs.tsv have N executions together
#   --length N  limits an input to N bytes (default: 1024, or the longest input of fuzz/corpus/NAME if that is longer)
#   --timeout N  seconds for an input, after which it is a finding (default: 10); more where the process may be stopped
# Keeps new inputs in build-fuzz/corpus/NAME, and inputs that fail in build-fuzz/findings/. Adds a line for each run to
# build-fuzz/runs.tsv. The last line is "N passed, N failed", over targets; exit status 1 on failures.
set -eu
cd "$(dirname "$0")/.."
interrupted=72 # libFuzzer's exit status after Ctrl-C
jobs=1 fork=() until=0 length= timeout=10 build=build-fuzz built= action=run
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
# The columns of runs.tsv: target, executions, edges, seconds of processor time, date, commit, outcome.
totals() {
    awk -F '\t' '
        function grouped(n, s) {
            for (s = ""; n >= 1000; n = int(n / 1000)) s = sprintf(",%03d", n % 1000) s
            return n s
        }
        { executions[$1] += $2; seconds[$1] += $4; if ($3 > edges[$1]) edges[$1] = $3; date[$1] = $5; commit[$1] = $6 }
        END {
            for (name in date)
                printf "| `%s` | %s | %s | %.2f | %s | %s |\n", name, grouped(executions[name]),
                    grouped(edges[name]), seconds[name] / 3600, date[name], commit[name]
        }' "$runs" | sort -t '`' -k 2,2
}
while [ $# -gt 0 ]; do
    case $1 in
        --list) list && exit ;;
        --totals) action=totals && shift ;;
        --folder) build=${2:?} && shift 2 ;;
        --built) built=1 && shift ;;
        --jobs) jobs=${2:?} && shift 2 ;;
        --fork) fork=(-fork="${2:?}" -ignore_crashes=0) && shift 2 ;;
        --until) until=${2:?} && shift 2 ;;
        --timeout) timeout=${2:?} && shift 2 ;;
        --length) length=${2:?} && shift 2 ;;
        -*) usage ;;
        *) break ;;
    esac
done
runs=$build/runs.tsv
[ $action = run ] || { totals && exit; }
seconds=${1:-3600}
[[ $seconds =~ ^[0-9]+$ ]] || usage
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(list)

mkdir -p "$build"/{findings,logs}
touch "$runs"
make_targets() { cmake --preset fuzz -B "$build" && cmake --build "$build" --target "${@/#/fuzz_}"; }
if [ -z "$built" ] && ! make_targets "$@" >"$build"/logs/build 2>&1; then
    grep -E 'rror|not found|unable' "$build"/logs/build | head -n 20
    echo "the fuzz build failed; it needs the packages clang, libclang-rt-14-dev and libomp-14-dev"
    echo "0 passed, $# failed"
    exit 1
fi

commit=$(git rev-parse --short HEAD 2>/dev/null || true)
export UBSAN_OPTIONS=print_stacktrace=1 OMP_NUM_THREADS=1
# usage: executed NAME: the executions of a target in all runs.
executed() { awk -F '\t' -v name="$1" '$1 == name { sum += $2 } END { printf "%d", sum }' "$runs"; }
# usage: run NAME: fuzzes one target; the status is that of libFuzzer, which is not 0 after a finding.
run() {
    local name=$1 log=$build/logs/$1 outcome=ok status=0 options=() folders=("$build/corpus/$1")
    local left executions edges most TIMEFORMAT='%U %S'
    mkdir -p "${folders[0]}"
    [ -d "fuzz/corpus/$name" ] && folders+=("fuzz/corpus/$name")
    [ "$name" = weights ] && folders+=(tests/weights)
    most=$(find "fuzz/corpus/$name" -type f -printf '%s\n' 2>/dev/null | sort -n | tail -n 1)
    [ "${most:-0}" -gt 1024 ] || most=1024
    [ -f "fuzz/dictionaries/$name" ] && options+=("-dict=fuzz/dictionaries/$name")
    if [ "$until" -gt 0 ]; then
        left=$((until - $(executed "$name")))
        [ $left -gt 0 ] || { echo "$name has $((until - left)) executions" && return; }
        options+=("-runs=$left")
    fi
    { time "$build"/fuzz/fuzz_"$name" "${options[@]}" "${fork[@]}" -max_total_time="$seconds" -timeout="$timeout" \
        -rss_limit_mb=2048 -max_len="${length:-$most}" -print_final_stats=1 \
        -artifact_prefix="$build/findings/$name-" "${folders[@]}" >"$log" 2>&1; } 2>"$log.time" || status=$?
    case $status in
        0) ;;
        "$interrupted") outcome=interrupted ;;
        *) outcome="FINDING: see $log" ;;
    esac
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p; s/^#\([0-9]*\).*/\1/p' "$log" | tail -n 1)
    edges=$(grep -ao 'cov: [0-9]*' "$log" | tail -n 1 | cut -c6-)
    printf '%-20s %12s executions  %6s edges  %s\n' "$name" "$executions" "$edges" "$outcome"
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "${executions:-0}" "${edges:-0}" \
        "$(awk '{ printf "%d", $1 + $2 + 0.5 }' "$log.time")" "$(date +%F)" "$commit" "${outcome%%:*}" >>"$runs"
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
