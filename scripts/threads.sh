#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ThreadSanitizer over the tests of code that runs in several threads (the ctest label "threads") and over
# examples/threads.c. They are built with clang and LLVM's OpenMP, whose tool Archer tells ThreadSanitizer in which order
# the threads of a team run, so that teams are examined too. The last line is "N passed, N failed", over programs.
set -u
cd "$(dirname "$0")/.."
build=$PWD/build-threads
passed=0 failed=0
work=$(mktemp -d /tmp/icseg_threads.XXXXXX)
trap 'rm -rf "$work"' EXIT

check() { # NAME COMMAND...
    if "${@:2}" >"$work/log" 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        grep -vE '^\[ +(RUN|OK) ' "$work/log" | tail -n 100 | sed 's/^/        /'
        failed=$((failed + 1))
    fi
}

build_all() {
    cmake --preset threads && cmake --build "$build" --target icseg example_threads threaded_tests
}

# The threads of a team add to one variable, with and without a reduction.
team() { # CLAUSE
    printf 'int main(void) {\n    int sum = 0;\n#pragma omp parallel num_threads(3) %s\n    sum++;\n    return sum < 1;\n}\n' \
        "$1" >"$work/team.c"
    clang -g -fopenmp -fsanitize=thread -o "$work/team" "$work/team.c" && "$work/team"
}

a_race_is_found() { ! team "" >"$work/race" 2>&1 && grep 'WARNING: ThreadSanitizer: data race' "$work/race"; }

# The example exceeds its limit of memory here, and its exit status says so.
example() {
    "$build/icseg" synth "$work/data" --images 2 --val 1 --size 96x64 &&
        printf 'model: {preset: tiny-resnet, context_length: 40, tokenizer: bytes}\ndata: {folder: %s}
augment: {crop: [64, 64], resize_short: 0}\ntrain: {steps: 2, batch: 1, warmup: 1, threads: 2}\neval: {resize_short: 0}\n' \
            "$work/data" >"$work/tiny.yaml" &&
        "$build/icseg" train "$work/tiny.yaml" --out "$work/run" || return 1
    "$build/example_threads" "$work/run/checkpoint.safetensors" "$work/data/images/val/000000.jpg" | tee "$work/example"
    [ "${PIPESTATUS[0]}" -ne 66 ] && grep -q 'the same bits' "$work/example"
}

unset OMP_NUM_THREADS
check "it builds" build_all
if [ $failed -eq 0 ]; then
    OMP_TOOL_LIBRARIES=$(sed -n 's/^ICSEG_ARCHER:[A-Z]*=//p' "$build/CMakeCache.txt")
    export OMP_TOOL_LIBRARIES OMP_WAIT_POLICY=passive TSAN_OPTIONS=ignore_noninstrumented_modules=1
    check "a race in a team is found" a_race_is_found
    check "a reduction is not a race" team "reduction(+ : sum)"
    for test in $(cd "$build" && ctest -N -L threads | sed -n 's/^ *Test *#[0-9]*: //p'); do
        check "$test" sh -c 'cd "$1" && ctest --output-on-failure -R "^$2\$"' sh "$build" "$test"
    done
    check "examples/threads.c, training" example
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
