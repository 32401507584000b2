#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How icseg behaves on a busy machine: the time of a command while endless loops run, as many as there are cores, twice as
# many, and none. Compares the OpenMP runtime's own spinning (GOMP_SPINCOUNT=300000, GCC's default), what icseg chooses
# (nothing set), and threads that always sleep (OMP_WAIT_POLICY=passive), in turn, on an otherwise quiet machine.
#
# The last column is icseg's time as a multiple of a fair time, which is the quiet time over icseg's fair share of the
# machine. If the kernel groups processes by session (sched_autogroup_enabled) or if they have control groups, L loops and
# icseg get equal shares, 1 / (L + 1): beside two loops, a fair third takes three times as long. Otherwise threads get equal
# shares: T threads of icseg get T / (L + T), half of the machine for two threads beside two loops. The script gives each
# loop and the command a session of its own, except with SAME_SESSION=1 or NICE, which has no effect between sessions.
# The column supposes that the command uses all cores, and needs 0 among the loads.
#   bench/load.sh [--rounds N] [--] [COMMAND...]     default: six training steps of recipes/demo.yaml, 3 rounds
#   LOADS="0 4" bench/load.sh                        other numbers of endless loops
#   NICE=19 bench/load.sh                            endless loops of lower priority
#   SAME_SESSION=1 bench/load.sh                     equal shares for threads, also if the kernel groups by session
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
cores=$(nproc)
session=()
shares=threads
if [ -z "${SAME_SESSION:-}${NICE:-}" ]; then
    session=(setsid --wait)
    [ "$(cat /proc/sys/kernel/sched_autogroup_enabled 2>/dev/null)" != 1 ] || shares=processes
fi

timed() { # [NAME=VALUE...] COMMAND...: appends its seconds to $list
    rm -rf "$work/run"
    local begin end
    begin=$(date +%s%N)
    "${session[@]}" env "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    end=$(date +%s%N)
    echo "$(((end - begin) / 1000000))" >>"$list"
}

median() { sort -n "$1" | awk '{v[NR] = $1} END {printf "%.2f", v[int((NR + 1) / 2)] / 1000}'; }

start_loops() { # N: their ids are in $loops
    loops=()
    for ((i = 0; i < $1; i++)); do
        ${session[0]:-} bash -c 'echo $$ >"$0"; while :; do :; done' "$work/loop" &
        while [ ! -s "$work/loop" ]; do sleep 0.05; done
        loops+=("$(cat "$work/loop")")
        rm "$work/loop"
        renice -n "${NICE:-0}" "${loops[-1]}" >/dev/null
    done
}

stop_loops() {
    kill "${loops[@]}" 2>/dev/null || true
    wait
    loops=()
}

quiet=
printf '%s cores, median of %s rounds, seconds; equal shares for %s\n\n' "$cores" "$rounds" "$shares"
printf '| endless loops | spinning | icseg | sleeping | spinning / icseg | icseg / fair |\n|---|---|---|---|---|---|\n'
for load in ${LOADS:-0 "$cores" $((2 * cores))}; do
    start_loops "$load"
    rm -f "$work"/list.*
    for ((round = 0; round < rounds; round++)); do
        list=$work/list.spin timed GOMP_SPINCOUNT=300000 "$@"
        list=$work/list.icseg timed "$@"
        list=$work/list.sleep timed OMP_WAIT_POLICY=passive "$@"
    done
    stop_loops
    spin=$(median "$work/list.spin") icseg=$(median "$work/list.icseg") sleep=$(median "$work/list.sleep")
    [ "$load" != 0 ] || quiet=$icseg
    printf '| %s | %s | %s | %s | %s | %s |\n' "$load" "$spin" "$icseg" "$sleep" \
        "$(awk -v a="$spin" -v b="$icseg" 'BEGIN {printf "%.2f", a / b}')" \
        "$(awk -v t="$icseg" -v q="${quiet:-0}" -v l="$load" -v c="$([ $shares = threads ] && echo "$cores" || echo 1)" \
            'BEGIN {if (q > 0) printf "%.2f", t * c / (q * (l + c)); else printf "-"}')"
done
