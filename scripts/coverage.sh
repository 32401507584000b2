#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Line coverage of src/ by the unit tests and the tests of the command line: by file, by folder and in total, which must
# be at least 95 %. Writes build-coverage/uncovered.txt (each line that no test runs) and build-coverage/html/index.html.
# Usage: coverage.sh [--report]; --report: only the report, of what has run since the last coverage.sh
set -eu
cd "$(dirname "$0")/.."
build=build-coverage
command -v gcovr >/dev/null || { echo "coverage: gcovr is missing; install it with scripts/setup.sh gcovr" >&2; exit 1; }

if [ "${1:-}" != --report ]; then
    cmake --preset coverage >/dev/null
    cmake --build $build
    find $build -name '*.gcda' -delete
    echo "== unit tests"
    (cd $build && ctest --output-on-failure)
    echo "== command line" # without library.sh, whose program links libicseg.a without gcov's functions; commands are slow here
    # shellcheck disable=SC2046
    LIMIT=1800 tests/cli/run.sh $build/icseg $(basename -s .sh -a tests/cli/cases/*.sh | grep -vx library)
fi
# tiles.c is compiled a second time for the tests, with emulated instructions.
mkdir -p $build/html
gcovr --root . --filter src/ --gcov-executable gcov --json $build/coverage.json --html-details $build/html/index.html \
    $build/CMakeFiles/icseg_objects.dir $build/CMakeFiles/icseg_emulation.dir
scripts/coverage_report.py $build/coverage.json $build/uncovered.txt 95
