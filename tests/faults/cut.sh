#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Input files that are truncated, overwritten or replaced after a command has opened them, right before one of its reads.
# It must fail with the name of the file, or make the same as from the undisturbed file: never die, never make anything else.
group=cut
source "$(dirname "$0")/common.sh"
most=$((quick ? 1 : 6)) files=0

changed() { # JOB FILE NUMBER ACTION: the file changes before the Nth read of it
    local problem expected
    begin "$1"
    rm -f "$work/log"
    attempt "$1" env LD_PRELOAD="$build/io_shim.so" FAULT_UNDER="$work/$2" FAULT_LOG="$work/log" FAULT_CALL=read,pread \
        FAULT_AT="$3" FAULT_DO="$4"
    hit || return 0
    expected=$(printf '%s' "${2##*/}" | sed 's/[][().*+?{}|^$\\]/\\&/g')
    # Any text is a class list. With a single class the label maps are wrong.
    [ "${2##*/} $4" != "classes.txt replace" ] || expected+='|classes are 0\.\.0|in/data: 3 problems found'
    problem=$(fault_of_run "$1" "$expected")
    verdict "$problem" "$1: $2: $4 before read $3"
}

for job in "${all_jobs[@]}"; do
    begin "$job"
    with_fault "$job" FAULT_CALL=read,pread
    # In the short form: the files of each job's folders that are read first
    while read -r count file; do
        files=$((files + 1))
        for n in $(points "$count" "$most"); do
            for action in cut overwrite replace; do changed "$job" "$file" "$n" "$action"; done
        done
    done < <(sed -E "s|^[a-z]* $work/||" "$work/log" | grep '^in/' | sort | uniq -c |
        if [ "$quick" ]; then awk '{folder = $2; sub("/[^/]*$", "", folder); if (!seen[folder]++) print}'; else cat; fi)
done
finish "$files files"
