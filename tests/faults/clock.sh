#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Clocks that stand still or jump, and files with odd times: the results are the same, and no time is negative.
group=clock
source "$(dirname "$0")/common.sh"
clocks=(jumps frozen 0 -1000000000 4294967296) # 1970, 1938, 2106
[ -z "$quick" ] || clocks=(jumps frozen)
years=(1938-01-01 1970-01-01 2106-02-08)

odd_times() { # what the log, the report and the messages must not contain
    grep -rhoE -m 1 '(ETA|in) -[0-9:]+|"[a-z_]+": ?-?(nan|inf)|"(seconds|images_per_s)": ?-[0-9.e]+|-?(nan|inf)/s' \
        "$work/stderr" "$work/out" --include=stderr --include='*.jsonl' --include='*.json' --include='*.html' | head -n 1
}

judge() { # JOB TITLE
    local problem odd
    problem=$(fault_of_run "$1" .)
    [ $status -eq 0 ] || problem="exit status $status"
    odd=$(odd_times)
    [ -n "$problem" ] || [ -z "$odd" ] || problem="a time of $odd"
    verdict "$problem" "$1: $2"
}

for job in "${all_jobs[@]}"; do
    for clock in "${clocks[@]}"; do
        begin "$job"
        attempt "$job" env LD_PRELOAD="$build/clock_shim.so:$build/io_shim.so" FAULT_CLOCK="$clock"
        judge "$job" "the clock is $clock"
    done
    for year in "${years[@]}"; do
        begin "$job"
        find "$work/in" "$work/out" -exec touch -d "$year" {} +
        attempt "$job" env LD_PRELOAD="$build/io_shim.so"
        judge "$job" "files of $year"
        [ -z "$quick" ] || break
    done
done
finish ''
