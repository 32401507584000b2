/* SPDX-License-Identifier: Apache-2.0
 * A NaN among the scores reaches the loss, at any position and with any other values: no comparison hides it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "graph/ops.h"
#include "graph/run/executor.h"

enum { SIDE = 8, CLASSES = 3, SCORES = SIDE * SIDE * CLASSES };

typedef icseg_value (*builder)(icseg_graph *g, icseg_value x, icseg_value labels);

static icseg_value contrast(icseg_graph *g, icseg_value x, icseg_value labels) {
    icseg_contrast_options options = {.tau = 0.07f, .weight = 1, .positives = 16, .negatives = 4, .text_anchors = true};
    return icseg_align_contrast(g, x, labels, ICSEG_NONE, ICSEG_NONE, options);
}

static icseg_value image_contrast(icseg_graph *g, icseg_value x, icseg_value labels) {
    icseg_contrast_options options = {
        .tau = 0.07f, .weight = 1, .positives = 16, .negatives = 4, .image_anchors = true};
    return icseg_align_contrast(g, x, labels, ICSEG_NONE, ICSEG_NONE, options);
}

static icseg_value cross_entropy(icseg_graph *g, icseg_value x, icseg_value labels) {
    return icseg_upsampled_cross_entropy(g, x, labels, ICSEG_NONE,
                                         (icseg_cross_entropy_options){.scale = 1, .weight = 1});
}

/* The loss of smooth scores, all but `at` of which are finite; at < 0: all. */
static float loss_with(builder build, int at, float value) {
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    float score[SCORES];
    int16_t label[SIDE * SIDE];
    for (int i = 0; i < SCORES; i++) score[i] = (float)((i * 37 + 11) % 101) / 101;
    for (int i = 0; i < SIDE * SIDE; i++) label[i] = (int16_t)(i % CLASSES);
    if (at >= 0) score[at] = value;
    assert_int_equal(icseg_graph_open(&g, true, NULL), ICSEG_OK);
    assert_int_equal(icseg_workspace_open(&workspace, NULL), ICSEG_OK);
    icseg_value x = icseg_graph_input(g, "score", ICSEG_F32, ICSEG_SHAPE(1, SIDE, SIDE, CLASSES));
    icseg_value l = icseg_graph_input(g, "labels", ICSEG_I16, ICSEG_SHAPE(1, SIDE, SIDE));
    icseg_value y = build(g, x, l);
    icseg_graph_keep(g, y, "loss");
    assert_int_equal(icseg_executor_open(&executor, g, workspace, NULL), ICSEG_OK);
    icseg_executor_bind(executor, x, score);
    icseg_executor_bind(executor, l, label);
    assert_int_equal(icseg_executor_run(executor, 0, 0, NULL), ICSEG_OK);
    float loss = *(const float *)icseg_executor_data(executor, y);
    icseg_executor_close(&executor);
    icseg_graph_close(&g);
    icseg_workspace_close(&workspace);
    return loss;
}

static void a_nan_anywhere_reaches_the_loss(void **state) {
    static const struct {
        const char *name;
        builder build;
    } losses[] = {{"align_contrast", contrast},
                  {"align_contrast with image anchors", image_contrast},
                  {"upsampled_cross_entropy", cross_entropy}};
    (void)state;
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
        assert_true(isfinite(loss_with(losses[k].build, -1, 0)));
        for (int at = 0; at < SCORES; at++)
            if (isfinite(loss_with(losses[k].build, at, NAN)))
                fail_msg("%s: a NaN at %d leaves the loss finite", losses[k].name, at);
    }
}

static void an_infinite_score_reaches_the_contrastive_loss(void **state) {
    (void)state;
    for (int at = 0; at < SCORES; at++)
        for (int sign = -1; sign <= 1; sign += 2)
            assert_false(isfinite(loss_with(contrast, at, (float)sign * INFINITY)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nan_anywhere_reaches_the_loss),
        cmocka_unit_test(an_infinite_score_reaches_the_contrastive_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
