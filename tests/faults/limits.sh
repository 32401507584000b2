#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Limits of memory, file size, descriptors, stack and threads. A command fails with a message or makes the right results.
# Where the dynamic loader or OpenMP's runtime gives up, theirs is the message: the program is then not running, or libgomp
# has ended it (docs/library.md).
group=limits
source "$(dirname "$0")/common.sh"
values=$((quick ? 2 : 16))

limited() { # JOB TITLE OPTION OF PRLIMIT...
    local problem
    begin "$1"
    attempt "$1" prlimit "${@:3}" env LD_PRELOAD="$build/io_shim.so"
    if [ $status -ne 0 ] && grep -qE '^libgomp: |error while loading shared libraries|cannot be preloaded' "$work/stderr"; then
        problem=$(half_written "$1")
    else
        problem=$(fault_of_run "$1" .)
    fi
    verdict "$problem" "$1: $2"
}

threads() { # JOB CALL: pthread_create fails from this call on
    local problem
    begin "$1"
    OMP_NUM_THREADS=4 with_fault "$1" FAULT_CALL=pthread_create FAULT_AT="$2" FAULT_DO=EAGAIN
    if grep -q '^libgomp: ' "$work/stderr"; then
        problem=$(half_written "$1")
    else
        problem=$(fault_of_run "$1" .)
    fi
    verdict "$problem" "$1: thread $2 cannot be started"
}

for job in "${all_jobs[@]}"; do
    for n in $(points 400 "$values"); do limited "$job" "$n MiB of memory" --as=$((n << 20)); done
    for n in $(points 24 "$values"); do limited "$job" "$n descriptors" --nofile="$n"; done
    for n in $(points 2000 "$values"); do limited "$job" "$n KiB of stack" --stack=$((n << 10)); done
    for n in $(points 200 "$values"); do limited "$job" "files of $n KiB" --fsize=$((n << 10)); done
    for n in 1 1+ 2 3; do threads "$job" "$n"; done
done
finish ''
