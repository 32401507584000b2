#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests of the icseg program from outside. Usage: run.sh [PROGRAM [CASE...]], where a CASE is the name of a file in
# tests/cli/cases/ without .sh (default: all). Several files run in as many processes as there are cores. Prints the
# failures and, at the end, "N passed, N failed".
#
# To add cases, write a file tests/cli/cases/NAME.sh, in which each case is one call of
#     expect STATUS 'REGEX' command...    exit status, and an extended regex that its output (both streams) must match
#     refuse STATUS 'REGEX' command...    the same, with nothing on standard output and exactly one line on standard error
#     check 'NAME' command...             any command that must succeed
#     caught SIGNAL FOLDER 'CONDITION' command...    starts it, and sends the signal when the condition holds
# `powerless command...` runs a command that respects file permissions even when root runs the tests.
# `icseg` is the program under test, $work an empty folder of this file, $root the source tree.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "${1:-$root/build/icseg}")
shift $(($# > 0 ? 1 : 0))
passed=0 failed=0
scratch=$(mktemp -d /tmp/icseg_cli.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache # embeddings of texts: not those of the user

icseg() { timeout "${LIMIT:-300}" "$program" "$@"; }

powerless() { # a program, not a function
    if [ "$(id -u)" -eq 0 ]; then setpriv --bounding-set -all --inh-caps -all "$@"; else "$@"; fi
}

result() { # PROBLEM TITLE
    if [ -z "$1" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL  $group: $2"
        echo "        $1"
        head -c 2000 "$scratch/out" "$scratch/err" | sed 's/^/        | /'
    fi
}

run() { "$@" >"$scratch/out" 2>"$scratch/err" </dev/null; }

command_not_found_handle() { # so that a misspelt helper is a failure
    echo "$group: $1: no such command" | tee -a "$scratch/missing" >&2
    return 127
}

problem() { # STATUS EXPECTED REGEX
    if [ "$1" -ne "$2" ]; then echo "exit status $1, expected $2"
    elif [ -n "$3" ] && ! cat "$scratch/out" "$scratch/err" | grep -qE -e "$3"; then echo "no line matches: $3"
    fi
}

expect() {
    local status=$1 regex=$2
    shift 2
    run "$@"
    result "$(problem $? "$status" "$regex")" "$*"
}

refuse() {
    local status=$1 regex=$2 why
    shift 2
    run "$@"
    why=$(problem $? "$status" "$regex")
    if [ -z "$why" ] && [ -s "$scratch/out" ]; then why="something on standard output"; fi
    if [ -z "$why" ] && [ "$(wc -l <"$scratch/err")" -ne 1 ]; then why="not exactly one line on standard error"; fi
    result "$why" "$*"
}

check() {
    local title=$1
    shift
    if run "$@"; then result "" "$title"; else result "exit status $?" "$title"; fi
}

# The command writes to FOLDER. On a busy machine it may end before it is caught: then FOLDER becomes what it was, and the
# command starts again. Fails unless KILL kills it, STOP stops it ($victim), or another signal ends it with status 3.
# Its output is in $scratch/caught.
caught() { # SIGNAL FOLDER CONDITION COMMAND...
    local signal=$1 folder=$2 condition=$3 status=0
    shift 3
    rm -rf "$folder.before"
    [ ! -e "$folder" ] || cp -r "$folder" "$folder.before"
    for _ in 1 2 3 4 5; do
        "$@" >"$scratch/caught" 2>&1 </dev/null &
        victim=$!
        until eval "$condition" || ! kill -0 $victim; do sleep 0.005; done
        kill -"$signal" $victim
        if [ "$signal" = STOP ]; then
            [ "$(sed 's/.*) //' "/proc/$victim/stat" | cut -c1)" != Z ] && return 0
        fi
        wait $victim
        status=$?
        [ "$signal $status" != "KILL 137" ] || return 0
        [ "$signal" = KILL ] || [ $status -ne 3 ] || return 0
        [ $status -eq 0 ] || return 1
        rm -rf "$folder"
        [ ! -e "$folder.before" ] || cp -r "$folder.before" "$folder"
    done
    return 1
} 2>/dev/null

[ $# -gt 0 ] || set -- $(cd "$root/tests/cli/cases" && ls -- *.sh | sed 's/\.sh$//')
if [ $# -gt 1 ]; then
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c '"$1" "$2" "$3" >"$4/$3" 2>&1' sh "$0" "$program" {} "$scratch"
    for group in "$@"; do
        read -r p _ f _ <<<"$(tail -n 1 "$scratch/$group" | tr -d ',' | grep -E '^[0-9]+ passed [0-9]+ failed$' || echo "0 passed 1 failed")"
        passed=$((passed + p)) failed=$((failed + f))
        [ "$f" -eq 0 ] || sed '$d' "$scratch/$group"
    done
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
fi
for group in "$@"; do
    work=$scratch/$group
    mkdir "$work"
    cases_before=$((passed + failed)) problem=
    bash -n "$root/tests/cli/cases/$group.sh" || problem="cannot be read"
    # shellcheck source=/dev/null
    source "$root/tests/cli/cases/$group.sh"
    [ $((passed + failed)) -gt $cases_before ] || problem=${problem:-"has no cases"}
    [ -z "$problem" ] || result "$problem" "the file"
done
if [ -s "$scratch/missing" ]; then
    failed=$((failed + $(wc -l <"$scratch/missing")))
    sed 's/^/FAIL  /' "$scratch/missing"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
