/* SPDX-License-Identifier: Apache-2.0
 * The address sanitizer notices wrong reads inside blocks that icseg subdivides: each case reads where it
 * must not, in a separate process, and the sanitizer must end it. Other builds have nothing to test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "graph/ops.h"
#include "graph/run/executor.h"

static volatile unsigned char seen;

static void touch(const void *at) { seen = *(const volatile unsigned char *)at; }

/* The wrong read ends the process, with a report of the sanitizer. */
static void is_noticed(const char *what, void (*wrong)(void)) {
    char report[1 << 14] = "";
    size_t size = 0;
    ssize_t got;
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        dup2(ends[1], 2);
        close(ends[0]);
        wrong();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], report + size, sizeof report - 1 - size)) > 0) size += (size_t)got;
    report[size] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if ((WIFEXITED(status) && !WEXITSTATUS(status)) || !strstr(report, "AddressSanitizer"))
        fail_msg("%s: not noticed; status %d: %s", what, status, report);
}

static void past_a_block(void) {
    char *block = icseg_alloc(3);
    touch(block + 3);
}

static void past_an_arena_block(void) {
    icseg_arena *arena;
    icseg_arena_open(&arena, NULL);
    char *first = icseg_arena_alloc(arena, 5), *second = icseg_arena_alloc(arena, 5);
    touch(second);
    touch(first + 5);
}

static void before_an_arena_block(void) {
    icseg_arena *arena;
    icseg_arena_open(&arena, NULL);
    icseg_arena_alloc(arena, 5);
    touch((char *)icseg_arena_alloc(arena, 5) - 1);
}

enum { COUNT = 5 };

/* y = (m, m) for m = mean(c) + x, where the mean is dead at the end and y is kept. */
typedef struct network {
    icseg_graph *graph;
    icseg_executor *executor;
    icseg_value middle, y;
} network;

static network run_network(icseg_workspace *workspace) {
    static const float x[COUNT] = {1, 2, 3, 4, 5};
    network n;
    assert_int_equal(icseg_graph_open(&n.graph, false, NULL), ICSEG_OK);
    icseg_value in = icseg_graph_input(n.graph, "x", ICSEG_F32, ICSEG_SHAPE(1, COUNT));
    n.middle = icseg_mean_rows(n.graph, icseg_graph_constant(n.graph, "c", ICSEG_F32, ICSEG_SHAPE(1, 1, COUNT), x));
    n.y = icseg_add(n.graph, icseg_reshape(n.graph, n.middle, ICSEG_SHAPE(1, COUNT)), in);
    icseg_value doubled[] = {n.y, n.y};
    n.y = icseg_concat(n.graph, 2, doubled, 1);
    icseg_graph_keep(n.graph, n.y, "y");
    assert_int_equal(icseg_executor_open(&n.executor, n.graph, workspace, NULL), ICSEG_OK);
    icseg_executor_bind(n.executor, in, x);
    assert_int_equal(icseg_executor_run(n.executor, 0, 0, NULL), ICSEG_OK);
    return n;
}

static icseg_workspace *open_workspace(void) {
    icseg_workspace *workspace;
    assert_int_equal(icseg_workspace_open(&workspace, NULL), ICSEG_OK);
    return workspace;
}

static void a_value_that_is_dead(void) {
    network n = run_network(open_workspace());
    touch(icseg_executor_data(n.executor, n.middle));
}

static void past_a_value(void) {
    network n = run_network(open_workspace());
    touch((const float *)icseg_executor_data(n.executor, n.y) + 2 * COUNT);
}

/* The values of a run stay readable until another executor of the workspace runs. */
static void a_value_of_an_earlier_run(void) {
    icseg_workspace *workspace = open_workspace();
    network first = run_network(workspace);
    const char *kept = icseg_executor_data(first.executor, first.y);
    icseg_graph *g;
    icseg_executor *executor;
    static const float one = 1;
    icseg_graph_open(&g, false, NULL);
    icseg_graph_keep(g, icseg_relu(g, icseg_graph_constant(g, "one", ICSEG_F32, ICSEG_SHAPE(1), &one)), "z");
    icseg_executor_open(&executor, g, workspace, NULL);
    touch(kept + 8);
    icseg_executor_run(executor, 0, 0, NULL);
    touch(kept + 8);
}

static void reads_outside_blocks_are_noticed(void **state) {
    (void)state;
    if (!ICSEG_EXACT_BLOCKS) skip();
    is_noticed("past a block", past_a_block);
    is_noticed("past an arena block", past_an_arena_block);
    is_noticed("before an arena block", before_an_arena_block);
    is_noticed("a value that is dead", a_value_that_is_dead);
    is_noticed("past a value", past_a_value);
    is_noticed("a value of an earlier run", a_value_of_an_earlier_run);
}

static void kept_values_can_be_read(void **state) {
    (void)state;
    icseg_workspace *workspace = open_workspace();
    network n = run_network(workspace);
    const float *y = icseg_executor_data(n.executor, n.y);
    for (int i = 0; i < 2 * COUNT; i++) assert_true(y[i] == 2 * (float)(i % COUNT + 1));
    icseg_executor_close(&n.executor);
    icseg_graph_close(&n.graph);
    icseg_workspace_close(&workspace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_outside_blocks_are_noticed),
        cmocka_unit_test(kept_values_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
