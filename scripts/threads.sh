#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ThreadSanitizer over the tests of code that runs in several threads (the ctest label "threads") and examples/threads.c.
# Built with clang and LLVM's OpenMP, whose tool Archer explains the order of a team's threads to ThreadSanitizer, so that
# teams of several threads are examined too. Usage: threads.sh. The last line is "N passed, N failed", over programs.
set -u
cd "$(dirname "$0")/.."
build=build-threads
passed=0 failed=0
work=$(mktemp -d /tmp/icseg_threads.XXXXXX)
trap 'rm -rf "$work"' EXIT

check() { # NAME COMMAND...
    if "${@:2}" >"$work/log" 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        tail -n 100 "$work/log" | sed 's/^/        /'
        failed=$((failed + 1))
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
    exit
}

# A race between the threads of a team is found, and a reduction is not one.
team() { # STATEMENT: compiles and runs it in a team of three threads
    cat >"$work/team.c" <<END
int main(void) {
    int sum = 0;
#pragma omp parallel num_threads(3) reduction(+ : $1)
    sum++;
    return sum < 1;
}
END
}

targets() { (cd $build && ctest -N -L threads) | sed -n 's/^ *Test *#[0-9]*: //p'; }
check "it configures" cmake --preset threads
mapfile -t tests < <(targets)
check "it builds" cmake --build $build --target icseg example_threads "${tests[@]}"
