/* SPDX-License-Identifier: Apache-2.0
 * The text side's operators. Segment attention is compared with ordinary causal attention over each class's whole
 * sequence with the prefix repeated: sharing must not change the result. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_check.h"

/* number: heads, prefix, count; integers: lengths */
static icseg_value build_segments(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_segment_attention(g, in[0], (int)c->number[0], (int)c->number[1], (int)c->number[2], c->integers);
}

/* Causal attention of packed row `rows[last]` over rows[0..last]. */
static void attend(const double *qkv, int64_t width, int64_t heads, const int64_t *rows, int64_t last, double *out) {
    int64_t d = width / heads;
    for (int64_t h = 0; h < heads; h++) {
        double p[128], sum = 0;
        for (int64_t j = 0; j <= last; j++) {
            double s = 0;
            for (int64_t i = 0; i < d; i++)
                s += qkv[rows[last] * 3 * width + h * d + i] * qkv[rows[j] * 3 * width + width + h * d + i];
            sum += p[j] = exp(s / sqrt((double)d));
        }
        for (int64_t i = 0; i < d; i++) {
            double y = 0;
            for (int64_t j = 0; j <= last; j++) y += p[j] / sum * qkv[rows[j] * 3 * width + 2 * width + h * d + i];
            out[rows[last] * width + h * d + i] = y;
        }
    }
}

static void segments(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *s = &c->input[0].shape;
    int64_t width = s->dim[2] / 3, prefix = (int64_t)c->number[1];
    for (int64_t b = 0; b < s->dim[0]; b++) {
        const double *qkv = in[0] + b * s->dim[1] * s->dim[2];
        int64_t rows[128], next = prefix;
        for (int64_t k = 0; k < (int64_t)c->number[2]; k++) { /* each class: its whole sequence */
            int64_t n = 0;
            for (; n < prefix; n++) rows[n] = n;
            for (int64_t i = 0; i < c->integers[k]; i++) rows[n++] = next++;
            for (int64_t i = 0; i < n; i++)
                attend(qkv, width, (int64_t)c->number[0], rows, i, out + b * s->dim[1] * width);
        }
    }
}

/* integers: ids; number: how many */
static icseg_value build_embedding(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_embedding(g, in[0], (int)c->number[0], c->integers);
}

static void embedding(const op_case *c, const double *const *in, double *out) {
    int64_t width = c->input[0].shape.dim[1];
    for (int64_t i = 0; i < (int64_t)c->number[0]; i++)
        for (int64_t j = 0; j < width; j++) out[i * width + j] = in[0][c->integers[i] * width + j];
}

/* integers: sizes of the groups; number: how many */
static icseg_value build_groups(icseg_graph *g, const icseg_value *in, const op_case *c) {
    return icseg_group_mean(g, in[0], (int)c->number[0], c->integers);
}

static void groups(const op_case *c, const double *const *in, double *out) {
    const icseg_shape *s = &c->input[0].shape;
    int64_t width = s->dim[2];
    const double *x = in[0];
    for (int64_t b = 0; b < s->dim[0]; b++)
        for (int64_t i = 0; i < (int64_t)c->number[0]; i++, out += width)
            for (int32_t r = 0; r < c->integers[i]; r++, x += width)
                for (int64_t j = 0; j < width; j++) out[j] = (r ? out[j] : 0) + x[j] / c->integers[i];
}

#define X(...)                                                                                                         \
    { OP_PARAM, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define FIXED(...)                                                                                                     \
    { OP_FIXED, ICSEG_SHAPE(__VA_ARGS__), 0 }
#define SEGMENT_ATTENTION(LABEL, HEADS, PREFIX, COUNT, LENGTHS, ...)                                                   \
    {                                                                                                                  \
        "segment_attention", LABEL, 1, {X(__VA_ARGS__)}, build_segments, segments, 1e-6, 1e-5, false,                  \
            {HEADS, PREFIX, COUNT}, LENGTHS                                                                            \
    }

static void text_operators_agree_with_their_definitions(void **state) {
    (void)state;
    static const int32_t two[] = {2, 3}, many[] = {1, 4, 2, 7, 1, 3}, ids[] = {3, 0, 3, 6};
    const op_case cases[] = {
        SEGMENT_ATTENTION("one head", 1, 3, 2, two, 1, 8, 3 * 4),
        SEGMENT_ATTENTION("images and heads", 4, 5, 6, many, 3, 23, 3 * 24),
        SEGMENT_ATTENTION("template: a prefix of one", 2, 1, 2, two, 2, 6, 3 * 6),
        {"group_mean", "of each image", 1, {X(3, 18, 5)}, build_groups, groups, 1e-6, 1e-5, false, {6}, many},
        {"group_mean", "one group", 1, {X(1, 2, 4)}, build_groups, groups, 1e-6, 1e-5, false, {1}, two},
        {"embedding", NULL, 1, {FIXED(7, 5)}, build_embedding, embedding, 0, 0, false, {4}, ids},
    };
    op_check_all(cases, sizeof cases / sizeof *cases);
}

static void random_sizes_agree(void **state) {
    (void)state;
    enum { MAX_CLASSES = 8 };
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int draw = 0; draw < OP_DRAWS; draw++) {
        int64_t b = op_draw(&rng, 1, 3), prefix = op_draw(&rng, 1, 6), count = op_draw(&rng, 1, MAX_CLASSES), rows = 0;
        int64_t heads = op_draw(&rng, 1, 4), width = heads * op_draw(&rng, 2, 9), table = op_draw(&rng, 2, 30);
        int32_t lengths[MAX_CLASSES], ids[MAX_CLASSES];
        for (int64_t i = 0; i < count; i++) {
            rows += lengths[i] = (int32_t)op_draw(&rng, 1, 9);
            ids[i] = (int32_t)op_draw(&rng, 0, table - 1);
        }
        const op_case cases[] = {
            SEGMENT_ATTENTION(NULL, heads, prefix, count, lengths, b, prefix + rows, 3 * width),
            {"group_mean", NULL, 1, {X(b, rows, width)}, build_groups, groups, 1e-6, 1e-5, false, {count}, lengths},
            {"embedding", NULL, 1, {FIXED(table, width)}, build_embedding, embedding, 0, 0, false, {count}, ids},
        };
        op_check_draw(cases, sizeof cases / sizeof *cases, draw);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_operators_agree_with_their_definitions),
        cmocka_unit_test(random_sizes_agree),
    };
    return cmocka_run_group_tests_name("text operators", tests, NULL, NULL);
}
