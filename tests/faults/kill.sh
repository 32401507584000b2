#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at random moments: at a random call that changes files (a write is then half done), or, one time in
# three, after a random time. What
# a killed process leaves is complete, and the next run makes the same bytes, whether it was killed before or not.
group=kill
source "$(dirname "$0")/common.sh"
kills=$((quick ? 3 : 50)) killed=0
changes=write,openat,mkdir,mkdtemp,linkat,rename,renameat,unlink,unlinkat,remove,ftruncate,fsync,close_written

now() { echo $(($(date +%s%N) / 1000000)); } # milliseconds

# Kills a run at a random one of $calls calls or of $time milliseconds.
killed_run() { # JOB
    if [ $((RANDOM % 3)) -gt 0 ]; then
        draw "$calls"
        moment="call $drawn"
        with_fault "$1" FAULT_CALL=$changes FAULT_AT="$drawn" FAULT_DO=kill
    else
        draw "$time"
        moment="$drawn ms"
        rm -f "$work/log"
        attempt "$1" timeout --signal=KILL "$(printf '%d.%03d' $((drawn / 1000)) $((drawn % 1000)))" \
            env LD_PRELOAD="$build/io_shim.so"
    fi
}

for job in "${writing_jobs[@]}"; do
    begin "$job"
    before=$(now)
    with_fault "$job" FAULT_CALL=$changes
    time=$(($(now) - before)) calls=$(wc -l <"$work/log")
    begin "$job"
    command=$job # train continues with --resume
    for ((i = 0; i < kills; i++)); do
        problem=
        killed_run "$command"
        command=${job/train/resume}
        if [ "$job" = import ] && right import; then
            status=0 # all that was missing is that the hidden folder is removed
            begin import
        elif [ $status -eq 137 ]; then
            killed=$((killed + 1))
            half=$(half_written "$job")
            [ -z "$half" ] || problem="out/$half is half-written"
        else
            problem=$(fault_of_run "$command" .)
            [ $status -eq 0 ] || problem="exit status $status"
        fi
        # In half of the cases the next process is killed, too.
        if [ -z "$problem" ] && { [ $((RANDOM % 2)) -eq 0 ] || [ $((i + 1)) -eq $kills ]; }; then
            attempt "$command" env LD_PRELOAD="$build/io_shim.so"
            problem=$(fault_of_run "$command" .)
            [ $status -eq 0 ] || problem="the next run fails with exit status $status"
            case $job in train | resume | import)
                [ -z "$problem" ] && [ -n "$(leftovers)" ] && problem="the next run left $(leftovers | head -n 1)" ;;
            esac
            [ -n "$problem" ] || { begin "$job"; command=$job; }
        fi
        verdict "$problem" "$job: killed at $moment"
        [ -z "$problem" ] || { begin "$job"; command=$job; }
    done
done
finish "$killed processes were killed; seed $seed"
