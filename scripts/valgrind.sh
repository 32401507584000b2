#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests under Valgrind's memcheck: reads of uninitialised values, accesses outside of blocks, leaks. Run before a
# release: it takes about forty times as long as the tests. Usage: valgrind.sh [BUILD_DIR [TEST...]]; default: build, all
# tests. A test that takes longer than LIMIT seconds of processor time (default: 900) is stopped: it passes, as "part", if
# nothing was found until then. The last line is "N passed, N failed", over programs.
set -u
cd "$(dirname "$0")/.."
build=${1:-build}
shift $(($# > 0 ? 1 : 0))
passed=0 failed=0 limit=${LIMIT:-900}
log=$(mktemp /tmp/icseg_valgrind.XXXXXX)
trap 'rm -f "$log"' EXIT
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
# Valgrind 3.19 does not know AVX-512, for which oneDNN would generate code.
export ONEDNN_MAX_CPU_ISA=AVX2 DNNL_MAX_CPU_ISA=AVX2

# Not run: they compare memory in use, of which Valgrind's own is a part, or replace malloc as Valgrind does. test_bench
# and test_bench_int8 measure the processor's peak, which takes more than half an hour.
skipped=" test_import_coco test_json_memory test_allocation test_bench test_bench_int8 test_bench_int8_native "
# Their cases of denormal numbers fail: Valgrind does not flush them to zero. Findings still count.
may_fail=" test_base "

if [ $# -eq 0 ]; then
    mapfile -t tests < <(cd "$build" && ctest -N | sed -n 's/^ *Test *#[0-9]*: \(test_.*\)/\1/p')
    set -- "${tests[@]}"
fi
for test in "$@"; do
    if [[ $skipped == *" $test "* ]]; then
        echo "skip  $test"
        continue
    fi
    SECONDS=0
    (ulimit -St "$limit" && exec valgrind --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --suppressions=scripts/valgrind.suppressions "$build/$test") >"$log" 2>&1
    status=$?
    if [ $status -eq 152 ] && grep -q 'ERROR SUMMARY: 0 errors' "$log"; then # SIGXCPU
        echo "part  $test (stopped after $limit s of processor time; nothing found until then)"
        passed=$((passed + 1))
    elif [ $status -eq 0 ] || { [ $status -ne 9 ] && [[ $may_fail == *" $test "* ]]; }; then
        echo "ok    $test ($SECONDS s)"
        passed=$((passed + 1))
    else
        echo "FAIL  $test (status $status, $SECONDS s)"
        grep -E '^==|ERROR|FAILED' "$log" | head -n 60 | sed 's/^/        /'
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
