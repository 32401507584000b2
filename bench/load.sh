#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How waiting threads behave on a busy machine: the time of a command while as many endless loops run as there are cores,
# twice as many, and none. Compares the OpenMP runtime's own spinning (GOMP_SPINCOUNT=300000, GCC's default), what icseg
# chooses (nothing set), and threads that always sleep (OMP_WAIT_POLICY=passive), in turn, on an otherwise quiet machine.
#   bench/load.sh [--rounds N] [--] [COMMAND...]     default: six training steps of recipes/demo.yaml, 3 rounds
#   LOADS="0 4" bench/load.sh                        other numbers of endless loops
#   NICE=19 bench/load.sh                            endless loops of lower priority
set -eu
cd "$(dirname "$0")/.."
rounds=3
[ "${1:-}" != --rounds ] || { rounds=$2; shift 2; }
[ "${1:-}" != -- ] || shift
work=$(mktemp -d /tmp/icseg_load.XXXXXX)
loops=()
trap 'kill "${loops[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME
if [ $# -eq 0 ]; then
    build/icseg synth "$work/data" --images 40 --val 2 >/dev/null 2>&1
    set -- build/icseg train recipes/demo.yaml --data "$work/data" --set train.steps=6 --set train.warmup=2 --out "$work/run"
fi

timed() { # [NAME=VALUE...] COMMAND...: appends its seconds to $list
    rm -rf "$work/run"
    local begin end
    begin=$(date +%s%N)
    env "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    end=$(date +%s%N)
    echo "$(((end - begin) / 1000000))" >>"$list"
}

median() { sort -n "$1" | awk '{v[NR] = $1} END {printf "%.2f", v[int((NR + 1) / 2)] / 1000}'; }

cores=$(nproc)
printf '%s cores, median of %s rounds, seconds\n\n| endless loops | spinning | icseg | sleeping | spinning / icseg |\n|---|---|---|---|---|\n' "$cores" "$rounds"
for load in ${LOADS:-0 "$cores" $((2 * cores))}; do
    loops=()
    for ((i = 0; i < load; i++)); do
        while :; do :; done &
        loops+=($!)
        renice -n "${NICE:-0}" $! >/dev/null
    done
    rm -f "$work"/list.*
    for ((round = 0; round < rounds; round++)); do
        list=$work/list.spin timed GOMP_SPINCOUNT=300000 "$@"
        list=$work/list.icseg timed "$@"
        list=$work/list.sleep timed OMP_WAIT_POLICY=passive "$@"
    done
    kill "${loops[@]}" 2>/dev/null || true
    wait "${loops[@]}" 2>/dev/null || true
    spin=$(median "$work/list.spin") icseg=$(median "$work/list.icseg") sleep=$(median "$work/list.sleep")
    printf '| %s | %s | %s | %s | %s |\n' "$load" "$spin" "$icseg" "$sleep" \
        "$(awk -v a="$spin" -v b="$icseg" 'BEGIN {printf "%.2f", a / b}')"
done
