/* SPDX-License-Identifier: Apache-2.0
 * Profiles: seconds summed by operator and by module, and the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "graph/ops.h"
#include "graph/run/profile.h"

enum { NODES = 4 };

/* visual.layer1.0.relu, visual.layer1.1.add, head.relu, relu */
static icseg_graph *open_graph(void) {
    icseg_error error = {0};
    icseg_graph *g;
    assert_int_equal(icseg_graph_open(&g, false, &error), ICSEG_OK);
    icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(2, 3));
    icseg_graph_push(g, "visual");
    icseg_graph_push(g, "layer1.0");
    x = icseg_relu(g, x);
    icseg_graph_pop(g);
    icseg_graph_push(g, "layer1.1");
    x = icseg_add(g, x, x);
    icseg_graph_pop(g);
    icseg_graph_pop(g);
    icseg_graph_push(g, "head");
    x = icseg_relu(g, x);
    icseg_graph_pop(g);
    icseg_relu(g, x);
    assert_int_equal(icseg_graph_status(g, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_node_count(g), NODES);
    return g;
}

static const icseg_profile_row *row_of(const icseg_profile *p, const char *name) {
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->rows[i].name, name)) return &p->rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void seconds_are_summed_by_operator_and_by_module(void **state) {
    (void)state;
    const double seconds[NODES] = {1, 2, 4, 8};
    icseg_error error = {0};
    icseg_arena *arena;
    icseg_profile p;
    icseg_graph *g = open_graph();
    assert_int_equal(icseg_arena_open(&arena, &error), ICSEG_OK);

    assert_int_equal(icseg_profile_sum(&p, g, seconds, ICSEG_PROFILE_OPERATOR, arena, &error), ICSEG_OK);
    assert_int_equal(p.count, 2);
    assert_string_equal(p.rows[0].name, "relu"); /* the slowest */
    assert_true(p.rows[0].forward == 13 && p.rows[0].nodes == 3);
    assert_true(row_of(&p, "add")->forward == 2 && p.seconds == 15);

    assert_int_equal(icseg_profile_sum(&p, g, seconds, ICSEG_PROFILE_MODULE, arena, &error), ICSEG_OK);
    assert_int_equal(p.count, 3);
    assert_true(row_of(&p, "visual.layer1")->forward == 3 && row_of(&p, "visual.layer1")->nodes == 2);
    assert_true(row_of(&p, "head")->forward == 4);
    assert_true(row_of(&p, "")->forward == 8);
    icseg_arena_close(&arena);
    icseg_graph_close(&g);
}

static void the_table_has_a_line_for_each_row_with_milliseconds_of_one_run(void **state) {
    (void)state;
    const double seconds[NODES] = {1, 0, 4, 0}; /* 0: did not run */
    icseg_error error = {0};
    icseg_arena *arena;
    icseg_profile p;
    icseg_string text = {0};
    icseg_graph *g = open_graph();
    assert_int_equal(icseg_arena_open(&arena, &error), ICSEG_OK);
    assert_int_equal(icseg_profile_sum(&p, g, seconds, ICSEG_PROFILE_MODULE, arena, &error), ICSEG_OK);
    icseg_profile_table(&p, 2, SIZE_MAX, &text);
    assert_non_null(text.data);
    const char *head = strstr(text.data, "\nhead"), *visual = strstr(text.data, "\nvisual.layer1");
    assert_non_null(head);
    assert_true(visual > head);
    assert_non_null(strstr(head, "2000.00"));
    assert_non_null(strstr(head, "80.0%"));
    assert_null(strstr(text.data, "(top)"));
    icseg_string_close(&text);
    icseg_arena_close(&arena);
    icseg_graph_close(&g);
}

static void an_empty_profile_is_a_heading(void **state) {
    (void)state;
    icseg_string text = {0};
    icseg_profile_table(&(icseg_profile){0}, 0, 1, &text);
    assert_non_null(strstr(text.data, "share"));
    icseg_string_close(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_summed_by_operator_and_by_module),
        cmocka_unit_test(the_table_has_a_line_for_each_row_with_milliseconds_of_one_run),
        cmocka_unit_test(an_empty_profile_is_a_heading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
