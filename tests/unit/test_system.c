/* SPDX-License-Identifier: Apache-2.0
 * The cores a process may use. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/system.h"

static void a_quota_is_cores_rounded_up(void **state) {
    (void)state;
    assert_int_equal(icseg_cores_of_quota("200000 100000\n"), 2);
    assert_int_equal(icseg_cores_of_quota("150000 100000\n"), 2);
    assert_int_equal(icseg_cores_of_quota("50000 100000\n"), 1);
    assert_int_equal(icseg_cores_of_quota("9223372036854775807 1\n"), 2147483647);
}

static void malformed_quotas_are_no_limit(void **state) {
    static const char *const texts[] = {"max 100000\n", "",         "\n",        "100000",
                                        "0 100000",     "100000 0", "-1 100000", "1 -1"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_int_equal(icseg_cores_of_quota(texts[i]), 0);
}

static void no_more_cores_than_the_affinity_mask_has(void **state) {
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(icseg_cores(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(icseg_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_is_cores_rounded_up),
        cmocka_unit_test(malformed_quotas_are_no_limit),
        cmocka_unit_test(no_more_cores_than_the_affinity_mask_has),
    };
    return cmocka_run_group_tests_name("system", tests, NULL, NULL);
}
