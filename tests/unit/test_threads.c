/* SPDX-License-Identifier: Apache-2.0
 * The number of threads of the library's work, whatever the host's OpenMP settings are. */
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/system.h"
#include "base/threads.h"

static int team_size(void) {
    int size = 0;
#pragma omp parallel
#pragma omp single
    size = omp_get_num_threads();
    return size;
}

typedef struct seen {
    int team;
    pthread_t thread;
    icseg_status answer;
} seen;

static icseg_status look(void *user) {
    seen *s = user;
    s->team = team_size();
    s->thread = pthread_self();
    return s->answer;
}

static void zero_threads_are_all_cores(void **state) {
    (void)state;
    assert_int_equal(icseg_threads_resolve(0), icseg_cores());
    assert_int_equal(icseg_threads_resolve(-3), icseg_cores());
    assert_int_equal(icseg_threads_resolve(5), 5);
}

static void settings_of_the_host_come_back(void **state) {
    (void)state;
    omp_set_num_threads(3);
    omp_set_dynamic(1);
    icseg_threads before = icseg_threads_enter(5);
    assert_int_equal(team_size(), 5);
    assert_false(omp_get_dynamic());
    icseg_threads inner = icseg_threads_enter(2);
    assert_int_equal(team_size(), 2);
    icseg_threads_leave(inner);
    assert_int_equal(team_size(), 5);
    icseg_threads_leave(before);
    assert_int_equal(omp_get_max_threads(), 3);
    assert_true(omp_get_dynamic());
    omp_set_dynamic(0);
}

static void work_runs_on_the_calling_thread(void **state) {
    seen s = {.answer = ICSEG_ERROR_DATA};
    (void)state;
    assert_int_equal(icseg_threads_run(4, look, &s, NULL), ICSEG_ERROR_DATA);
    assert_int_equal(s.team, 4);
    assert_true(pthread_equal(s.thread, pthread_self()));
}

static void work_inside_a_parallel_region_has_its_team(void **state) {
    int teams[2] = {0};
    (void)state;
#pragma omp parallel num_threads(2)
    {
        seen s = {.answer = ICSEG_OK};
        icseg_status status = icseg_threads_run(3, look, &s, NULL);
        if (status == ICSEG_OK && omp_get_num_threads() == 2) teams[omp_get_thread_num()] = s.team;
    }
    assert_int_equal(teams[0], 3);
    assert_int_equal(teams[1], 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_threads_are_all_cores),
        cmocka_unit_test(settings_of_the_host_come_back),
        cmocka_unit_test(work_runs_on_the_calling_thread),
        cmocka_unit_test(work_inside_a_parallel_region_has_its_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
