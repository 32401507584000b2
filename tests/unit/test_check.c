/* SPDX-License-Identifier: Apache-2.0
 * ICSEG_CHECK: where it is active it calls the hook with the source line, and traps if the hook returns; where it is
 * not, the condition is not evaluated, and the graph still fails cleanly. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/check.h"
#include "graph/node.h"
#include "graph/ops.h"

static jmp_buf back;
static const char *failed, *place;

static void leave(const char *condition, const char *file, int line) {
    failed = condition;
    place = file;
    longjmp(back, line);
}

static void a_failed_check_reports_the_condition_and_the_line(void **state) {
    (void)state;
    icseg_check_set_hook(leave);
    int line = setjmp(back);
    if (!line) icseg_check_failed("a < b", "somewhere.c", 7);
    assert_int_equal(line, 7);
    assert_string_equal(failed, "a < b");
    assert_string_equal(place, "somewhere.c");
    icseg_check_set_hook(NULL);
}

static void without_a_hook_the_program_is_trapped(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGILL, SIG_DFL);
        signal(SIGTRAP, SIG_DFL);
        icseg_check_failed("a < b", "somewhere.c", 7);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void a_check_that_is_not_active_evaluates_nothing(void **state) {
    (void)state;
    int evaluated = 0;
    ICSEG_CHECK(++evaluated);
    assert_int_equal(evaluated, ICSEG_CHECKED);
}

static void too_many_inputs_of_a_node_are_caught(void **state) {
    (void)state;
    static const icseg_op op = {.name = "greedy"};
    icseg_error error;
    icseg_graph *g;
    icseg_value in[ICSEG_MAX_INPUTS + 1];
    assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
    for (int i = 0; i <= ICSEG_MAX_INPUTS; i++) in[i] = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(2));
    icseg_check_set_hook(leave);
    int line = setjmp(back);
    if (!line) icseg_node_append(g, &op, NULL, 0, in, ICSEG_MAX_INPUTS + 1, 0);
    icseg_check_set_hook(NULL);
    assert_int_equal(line != 0, ICSEG_CHECKED);
    if (ICSEG_CHECKED) {
        assert_non_null(strstr(place, "node.c"));
    } else {
        assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_INTERNAL);
        assert_string_equal(error.message, "greedy: 13 inputs, more than 12");
    }
    icseg_graph_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_check_reports_the_condition_and_the_line),
        cmocka_unit_test(without_a_hook_the_program_is_trapped),
        cmocka_unit_test(a_check_that_is_not_active_evaluates_nothing),
        cmocka_unit_test(too_many_inputs_of_a_node_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
