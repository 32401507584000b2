#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Static analysis of options/, src/, cli/ and serve/: clang-tidy (.clang-tidy), cppcheck (scripts/cppcheck.suppressions) and
# gcc -fanalyzer. Usage: analyse.sh [BUILD_DIR], where BUILD_DIR contains compile_commands.json (default: build)
# Prints one line for each tool, with its findings, and at the end "N passed, N failed". Exit status 1 on a finding.
set -u
cd "$(dirname "$0")/.."
build=${1:-build}
passed=0 failed=0
findings=$(mktemp /tmp/icseg_analyse.XXXXXX)
trap 'rm -f "$findings"' EXIT

# run NAME COMMAND...: a tool passes if it exits with status 0.
run() {
    if "${@:2}" >"$findings" 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        sed 's/^/        /' "$findings" | head -n 200
        failed=$((failed + 1))
    fi
}

each() { find options src cli serve -name '*.c' -print0 | sort -z | xargs -0 -P "$(nproc)" "$@"; }

tidy() { [ -f "$build/compile_commands.json" ] && each -n 6 clang-tidy -p "$build" --quiet; }

check() {
    cppcheck -j "$(nproc)" --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
        --suppressions-list=scripts/cppcheck.suppressions --std=c11 -D_GNU_SOURCE -D__x86_64__ -D__GNUC__=12 -I include -I src -I . \
        options src cli serve
}

# The checks that are off do not know that icseg_fail never returns ICSEG_OK, nor what an OpenMP region writes.
analyzer() {
    each -n 8 gcc -fanalyzer -Wno-analyzer-null-dereference -Wno-analyzer-null-argument \
        -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-too-complex -Werror -O2 -std=c11 -fopenmp -D_GNU_SOURCE \
        -DICSEG_VERSION='""' -I include -I src -I . -isystem "$build/generated/onnx" -isystem "$build/generated/tensorboard" \
        -fsyntax-only
}

run "clang-tidy" tidy
run "cppcheck" check
run "gcc -fanalyzer" analyzer
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
