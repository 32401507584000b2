#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two of each command in one folder at the same time: the first is stopped at a call of a file function, the second runs
# from beginning to end, then the first continues. Training and imports have a lock, so that the second is refused.
group=pairs
source "$(dirname "$0")/common.sh"
moments=$((quick ? 2 : 25))

run_first() { # JOB CALL: in the background, until it has stopped or ended; $first is its process
    rm -f "$work/log"
    # shellcheck disable=SC2046
    (cd "$work" && exec env LD_PRELOAD="$build/io_shim.so" FAULT_UNDER="$work" FAULT_LOG="$work/log" FAULT_AT="$2" \
        FAULT_DO=stop FAULT_CALL="${calls_that_write}" "$program" $(arguments "$1") >first.stdout 2>first.stderr <in/names.txt) &
    first=$!
    until [[ $(ps -o stat= -p $first) = [TZ]* ]] || ! kill -0 $first 2>/dev/null; do sleep 0.01; done
}
finish_first() { # sets $first_status
    kill -CONT $first 2>/dev/null
    wait $first
    first_status=$?
}

pair() { # JOB CALL
    local problem='' busy
    begin "$1"
    run_first "$1" "$2"
    attempt "$1" env LD_PRELOAD="$build/io_shim.so"
    case $1 in
    train | resume) busy='another process is training in this directory' ;;
    import) busy='another process is writing to this folder|the folder is not empty' ;;
    *) busy='' ;;
    esac
    if [ "$busy" ] && [ $status -eq 0 ] && [ "$1" = import ]; then
        problem="the second import was not refused"
    elif [ "$busy" ]; then
        [ $status -ne 0 ] && grep -qE "$busy" "$work/stderr" || problem="the second is not refused: exit status $status"
    elif [ $status -ne 0 ] || ! right "$1"; then
        problem="the second: exit status $status, $(head -n 1 "$work/difference")"
    fi
    finish_first
    [ -n "$problem" ] || [ $first_status -eq 0 ] || problem="the first: exit status $first_status, $(tail -n 1 "$work/first.stderr")"
    [ -n "$problem" ] || right "$1" || problem="the results of both are wrong: $(head -n 1 "$work/difference")"
    [ -n "$problem" ] || [ -z "$(leftovers)" ] || problem="left $(leftovers | head -n 1)"
    verdict "$problem" "$1: the first is stopped at call $2"
}

# Both at their own pace: one of them may be refused.
race() { # JOB
    local problem=''
    begin "$1"
    run_first "$1" 0
    attempt "$1" env LD_PRELOAD="$build/io_shim.so"
    finish_first
    [[ $1 = @(train|resume|import) ]] || [ $status$first_status = 00 ] || problem="exit statuses $first_status and $status"
    [ $status -eq 0 ] || [ $first_status -eq 0 ] || problem="both failed: $first_status and $status"
    [ -n "$problem" ] || right "$1" || problem="the results are wrong: $(head -n 1 "$work/difference")"
    verdict "$problem" "$1: both at the same time"
}

calls_that_write=write,openat,linkat,renameat,rename,close_written
for job in "${writing_jobs[@]}"; do
    begin "$job"
    with_fault "$job" FAULT_CALL=$calls_that_write
    count=$(wc -l <"$work/log")
    for n in $(points "$count" "$moments"); do pair "$job" "$n"; done
    race "$job"
done
finish ''
