#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each call of a file function fails in turn (an even sample of them where there are many).
group=io
source "$(dirname "$0")/common.sh"
most=$((quick ? 1 : 8)) known=0

# A failure of one of these loses data.
must_fail=' write fsync fdatasync ftruncate rename renameat linkat close_written '
# After a failure of one of these a file that should have gone may be there.
may_leave=' unlink unlinkat rmdir remove '

# The name of the file or folder of the call that failed, as a message gives it.
name_of_hit() {
    local path
    path=$(head -n 1 "$work/log" | cut -d ' ' -f 2-)
    case ${path##*/} in '#'*) path=${path%/*} ;; esac
    path=${path##*/}
    path=${path%.tmp.????????????????}
    case $path in .import.*) path=set ;; esac
    printf '%s' "$path" | sed 's/[][().*+?{}|^$\\]/\\&/g'
}

fails() { # JOB CALL NUMBER ERROR TEXT
    local problem
    begin "$1"
    with_fault "$1" FAULT_CALL="$2" FAULT_AT="$3" FAULT_DO="$4"
    hit || return 0 # fewer calls than in the other run
    if [ "$2" = close_written ] && grep -q staging.lock "$work/log"; then return 0; fi # it protects from others only
    local text=$5
    [[ $2 != @(stat|access) ]] || text='' # the file may be taken for missing
    problem=$(fault_of_run "$1" "$(name_of_hit).*$text")
    if [ -z "$problem" ] && [ $status -eq 0 ] && [[ $must_fail = *" $2 "* ]]; then problem="exit status 0"; fi
    if [ -z "$problem" ] && [[ $may_leave != *" $2 "* ]] && [ -n "$(leftovers)" ]; then problem="left $(leftovers | head -n 1)"; fi
    if [ -z "$problem" ] && [[ $1 = train || $1 = resume ]] && [ $status -ne 0 ]; then
        attempt resume
        [ $status -eq 0 ] && right resume || problem="the run cannot be resumed to the same result"
    fi
    if [ -z "$problem" ] && [ "$1" = import ] && [ $status -ne 0 ] && [[ $may_leave != *" $2 "* ]]; then
        [ -z "$(ls "$work/out")" ] || problem="a failed import left out/set"
    fi
    verdict "$problem" "$1: call $3 of $2 fails with $4 ($(tail -n 1 "$work/log"))"
}

succeeds() { # JOB HOW NAME=VALUE...
    local problem
    begin "$1"
    with_fault "$1" "${@:3}"
    hit && [ $status -eq 0 ] && problem=$(fault_of_run "$1" .) || problem="exit status $status"
    [ -n "$problem" ] || [ -z "$(leftovers)" ] || problem="left $(leftovers | head -n 1)"
    verdict "$problem" "$1: $2"
}

for job in "${all_jobs[@]}"; do
    begin "$job"
    with_fault "$job"
    cut -d ' ' -f 1 "$work/log" | sort | uniq -c >"$scratch/io.calls"
    while read -r count call; do
        known=$((known + count))
        [ "$call" != pthread_create ] || continue # see the group limits
        for n in $(points "$count" "$most"); do
            fails "$job" "$call" "$n" EIO 'Input/output error'
            [[ $call = @(write|fsync|openat|mkdir|linkat) && -z $quick ]] && fails "$job" "$call" "$n" ENOSPC 'No space left on device'
        done
    done <"$scratch/io.calls"
    succeeds "$job" 'interrupted calls' FAULT_CALL=open,openat,read,pread,write,fsync,ftruncate,close,close_written,flock \
        FAULT_AT=odd FAULT_DO=EINTR
    succeeds "$job" 'short transfers' FAULT_CALL=read,pread,write FAULT_AT=1+ FAULT_DO=half
done
finish "$known calls, at most $most of each function and command"
