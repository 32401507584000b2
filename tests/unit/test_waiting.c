/* SPDX-License-Identifier: Apache-2.0
 * When OpenMP's threads sleep instead of spinning, and that the team that makes them sleep comes and goes. */
#include <dirent.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/waiting.h"

void kmp_set_blocktime(int milliseconds) __attribute__((weak));

static void a_rival_makes_teams_sleep_and_a_quiet_second_makes_them_spin(void **state) {
    int quiet = 0;
    (void)state;
    assert_false(icseg_waiting_decide(false, (icseg_machine_load){.waited = 0, .others = 0}, &quiet));
    /* The program's own threads, such as the loader's, are not rivals; nor are processes on cores that are free. */
    assert_false(icseg_waiting_decide(false, (icseg_machine_load){.waited = 0.5, .others = 0.05}, &quiet));
    assert_false(icseg_waiting_decide(false, (icseg_machine_load){.waited = 0.01, .others = 3}, &quiet));
    assert_true(icseg_waiting_decide(false, (icseg_machine_load){.waited = 0.3, .others = 1}, &quiet));
    /* Asleep, only the others count. */
    for (int i = 0; i < 30; i++)
        assert_true(icseg_waiting_decide(true, (icseg_machine_load){.waited = 0, .others = 1}, &quiet));
    for (int i = 0; i < 9; i++)
        assert_true(icseg_waiting_decide(true, (icseg_machine_load){.waited = 0.5, .others = 0.02}, &quiet));
    assert_true(
        icseg_waiting_decide(true, (icseg_machine_load){.waited = 0, .others = 0.5}, &quiet)); /* from 0 again */
    for (int i = 0; i < 9; i++)
        assert_true(icseg_waiting_decide(true, (icseg_machine_load){.waited = 0.5, .others = 0.02}, &quiet));
    assert_false(icseg_waiting_decide(true, (icseg_machine_load){.waited = 0.5, .others = 0.02}, &quiet));
}

static void a_quota_counts_as_a_rival(void **state) {
    int quiet = 0;
    (void)state;
    assert_false(icseg_waiting_decide(false, (icseg_machine_load){.waited = 0.02, .quota = true}, &quiet));
    assert_true(icseg_waiting_decide(false, (icseg_machine_load){.waited = 0.3, .quota = true}, &quiet));
    for (int i = 0; i < 30; i++) assert_true(icseg_waiting_decide(true, (icseg_machine_load){.quota = true}, &quiet));
}

/* Threads of the team. */
static int team(void) {
    int spare = omp_get_num_procs() - omp_get_max_threads() + 1;
    return spare > 2 ? spare : 2;
}

static int threads(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    if (!folder) return 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

/* The kernel removes a thread from the folder a moment after it was joined. */
static void expect_threads(int expected) {
    for (int i = 0; i < 1000 && threads() != expected; i++) usleep(2000);
    assert_int_equal(threads(), expected);
}

static void the_team_comes_and_goes(void **state) {
    (void)state;
    if (kmp_set_blocktime || !threads()) skip(); /* LLVM's runtime needs no team */
    int before;
#pragma omp parallel
    __asm__ volatile("");
    before = threads();
    for (int i = 0; i < 2; i++) {
        icseg_waiting_set(true);
        icseg_waiting_set(true);
        expect_threads(before + team());
        icseg_waiting_set(false);
        icseg_waiting_set(false);
        expect_threads(before);
    }
}

static void the_user_decides(void **state) {
    (void)state;
    if (kmp_set_blocktime || !threads()) skip();
    int before = threads();
    setenv("OMP_WAIT_POLICY", "active", 1);
    icseg_waiting_set(true);
    expect_threads(before + team());
    for (int i = 0; i < 15; i++) { /* on a quiet machine, teams would spin from the eleventh measurement on */
        usleep(110 * 1000);
        icseg_waiting_adapt();
    }
    assert_int_equal(threads(), before + team());
    unsetenv("OMP_WAIT_POLICY");
    icseg_waiting_set(false);
}

/* A fork copies the library's memory and not its threads. */
static void a_forked_process_ends(void **state) {
    int status = -1;
    (void)state;
    icseg_waiting_set(true);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        icseg_waiting_set(false); /* as the library does when it is closed */
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    icseg_waiting_set(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rival_makes_teams_sleep_and_a_quiet_second_makes_them_spin),
        cmocka_unit_test(a_quota_counts_as_a_rival),
        cmocka_unit_test(the_team_comes_and_goes),
        cmocka_unit_test(the_user_decides),
        cmocka_unit_test(a_forked_process_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
