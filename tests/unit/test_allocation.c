/* SPDX-License-Identifier: Apache-2.0
 * Every public function while memory runs out: each allocation in turn fails, including those of other libraries. The
 * call must return an error without an object; then the same call must succeed. Functions that are documented not to
 * allocate must not. The calls are in allocation/. */
#include <stdlib.h>

#include "allocation/allocation.h"
#include "base/memory.h"
#include "support/heap.h"

static const struct {
    const char *name;
    icseg_status (*call)(icseg_error *error);
} functions[] = {
#define FUNCTION(name) {#name, call_##name},
#include "public_functions.h"
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* For the leak sanitizer: glibc's dlopen loses a block when memory runs out in it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:_dl_map_object_deps\n"; }

typedef bool fail_after(int64_t n);
static int wrong; /* results */

/* Makes the call with the n-th allocation failing; whether there was one. */
static bool fails(int f, fail_after *hook, int64_t n, const char *caller) {
    icseg_error error = {0};
    hook(n);
    icseg_status status = functions[f].call(&error);
    if (!hook(-1)) {
        if (status != ICSEG_OK) fail_msg("%s: fails when memory suffices: %s", functions[f].name, error.message);
        return false;
    }
    /* Other libraries tolerate some failures. The loaders' threads read samples ahead that no step needs. */
    bool unneeded = hook == test_heap_fail_after || !strncmp(functions[f].name, "icseg_train", 11) ||
                    !strncmp(functions[f].name, "icseg_lr_range", 14) || !strcmp(functions[f].name, "icseg_pretrain");
    if (status == ICSEG_OK && unneeded) return true;
    if (status != ICSEG_ERROR_MEMORY || error.status != status || !error.message[0]) {
        print_error("%s: without %s allocation %lld: %s, %s\n", functions[f].name, caller, (long long)n,
                    icseg_status_name(status), error.message);
        wrong++;
    }
    return true;
}

/* Lets each allocation fail; of many, the first ones and then some. Returns the number of failures. */
static int64_t starve(int f, fail_after *hook, const char *caller) {
    enum { MANY = 300, FEW = 20 };
    int64_t failures = 0, dense = fails(f, hook, MANY, caller) ? FEW : MANY;
    for (int64_t n = 0; fails(f, hook, n, caller); n += n < dense ? 1 : n / 5) failures++;
    return failures;
}

static void every_function_survives_lack_of_memory(void **state) {
    (void)state;
    const char *only = getenv("ICSEG_FUNCTION");
    icseg_build build = {ICSEG_BUILD_INIT};
    assert_int_equal(icseg_build_info(&build, NULL), ICSEG_OK);
    if (!build.onnx) print_message("skipped: icseg_model_export_onnx, because this build does not write ONNX files\n");
    for (int f = 0; f < FUNCTIONS; f++) {
        if (only && strcmp(only, functions[f].name)) continue;
        if (getenv("ICSEG_EMULATED") && !strcmp(functions[f].name, "icseg_bench_open")) {
            print_message("skipped: this processor is emulated, on which icseg_bench_open measures for hours\n");
            continue;
        }
        int64_t own = starve(f, icseg_memory_fail_after, "own");
        if (getenv("ICSEG_TELL")) print_message("%s: %d own\n", functions[f].name, (int)own);
        int64_t foreign = starve(f, test_heap_fail_after, "foreign");
        if (getenv("ICSEG_TELL")) print_message("%s: %d own, %d foreign\n", functions[f].name, (int)own, (int)foreign);
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_function_survives_lack_of_memory)};
    return cmocka_run_group_tests(tests, alloc_open, alloc_close);
}
