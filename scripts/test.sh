#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs all tests: a release build with warnings as errors and a sanitizer build, unit tests in both, checks, the installed
# library, the program, the ABI. The last line is "N passed, N failed", the sum over all of them; exit status 1 on failures.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0
log=$(mktemp -d /tmp/icseg_test.XXXXXX)
trap 'rm -rf "$log"' EXIT

add() { # takes "N passed, N failed"
    read -r p _ f _ <<<"$(tr -d ',' <<<"$1")"
    passed=$((passed + p)) failed=$((failed + f))
}

# usage: unit PRESET BUILD_DIR: builds, runs every cmocka program, counts its cases; a crash or a time-out counts as one.
unit() {
    echo "== $1 build and unit tests (at $SECONDS s)"
    if ! { cmake --preset "$1" && cmake --build "$2"; } >"$log/$1.build" 2>&1; then
        grep -E 'error|warning|Error' "$log/$1.build" | head -n 40
        echo "the $1 build failed"
        add "0 passed, 1 failed"
        return 1
    fi
    (cd "$2" && OMP_WAIT_POLICY=passive ctest -V -j "$(($(nproc) + 1))") >"$log/$1.unit" 2>&1
    local status=$?
    grep -E '^[0-9]+: (\[  (FAILED|ERROR)|.*(error:|ERROR:|runtime error))|\*\*\*' "$log/$1.unit" | head -n 60
    local sum
    sum=$(awk -f scripts/count_cases.awk "$log/$1.unit")
    [ $status -eq 0 ] || [[ $sum != *" 0 failed" ]] || sum="${sum% 0 failed} 1 failed" # ctest itself failed
    grep -hoE '\[  SKIPPED \] [0-9]+ test' "$log/$1.unit" | awk '{n += $4} END {if (n) print n " skipped (see ctest -V)"}'
    echo "$sum"
    add "$sum"
}

# usage: script NAME COMMAND...: runs it, shows its output, and adds the counts of its last line.
script() {
    echo "== $1 (at $SECONDS s)"
    timeout --kill-after=10 3600 "${@:2}" 2>&1 | tee "$log/script"
    local status=${PIPESTATUS[0]} sum
    sum=$(tail -n 1 "$log/script" | grep -E '^[1-9][0-9]* passed, [0-9]+ failed$') || sum="0 passed, 1 failed"
    [ "$status" -eq 0 ] || [[ $sum != *" 0 failed" ]] || sum="0 passed, 1 failed"
    add "$sum"
}

export CTEST_OUTPUT_ON_FAILURE=1
if unit release build; then
    script "checks" scripts/check_layers.sh build
    script "installed library" tests/install/run.sh build
    script "command line" tests/cli/run.sh build/icseg
fi
if unit sanitize build-sanitize && command -v abidw >/dev/null && [ "$(uname -m)" = x86_64 ]; then
    script "binary interface" scripts/abi.sh build-sanitize
fi
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
