/* SPDX-License-Identifier: Apache-2.0
 * conv_transpose2x2_map: a transposed convolution and a 1x1 convolution of its result, as one transposed convolution
 * with the product of their weights. It works in blocks of lines, whose squares stay in the caches. */
#include "base/memory.h"
#include "graph/ops/fused.h"
#include "graph/ops/linear_algebra.h"

enum { BLOCK_PIXELS = 640 }; /* with fewer the product is inefficient */

typedef struct map_state {
    int64_t lines, last;         /* of a block; of the last one */
    icseg_primitive *product[2]; /* [1]: of the last block, where it is smaller */
    size_t own, squares;         /* offsets in scratch */
} map_state;

bool icseg_transpose_map_is_faster(const icseg_transpose_map *m) {
    const icseg_transpose_shape *s = &m->shape;
    double pixels = (double)s->batch * (double)s->height * (double)s->width;
    double saved =
        (double)s->in * (double)m->between + (double)m->between * (double)s->out - (double)s->in * (double)s->out;
    return pixels * saved > (double)s->in * (double)m->between * (double)s->out;
}

static icseg_status open_product(const icseg_kernel *k, int64_t lines, icseg_primitive **out, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    icseg_primitive_options options = {.pack = true};
    icseg_set_precision(k, &options);
    icseg_matmul_shape product =
        icseg_product_shape(lines * m->shape.width, m->shape.in, 4 * m->shape.out, false, true);
    return icseg_matmul_open(out, &product, options, error);
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    const icseg_transpose_shape *t = &m->shape;
    map_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a transposed convolution");
    int64_t blocks = (t->height * t->width + BLOCK_PIXELS - 1) / BLOCK_PIXELS;
    blocks = blocks < t->height ? blocks : t->height;
    s->lines = (t->height + blocks - 1) / blocks;
    s->last = (t->height - 1) % s->lines + 1;
    ICSEG_TRY(open_product(k, s->lines, &s->product[0], error));
    if (s->last != s->lines) ICSEG_TRY(open_product(k, s->last, &s->product[1], error));
    k->precision = icseg_primitive_precision(s->product[0]);
    size_t own = icseg_primitive_scratch(s->product[0]),
           last = s->product[1] ? icseg_primitive_scratch(s->product[1]) : 0;
    s->own = icseg_scratch_reserve(k, own > last ? own : last);
    s->squares = icseg_scratch_reserve(k, (size_t)(s->lines * t->width * 4 * t->out) * sizeof(float));
    k->kept_size += (size_t)(4 * t->out * t->in) * sizeof(float);
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    map_state *s = k->state;
    for (int i = 0; s && i < 2; i++) icseg_primitive_close(&s->product[i]);
    icseg_free(s);
}

static icseg_status run_image(const icseg_kernel *k, int64_t image, char *scratch, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    const icseg_transpose_shape *t = &m->shape;
    const map_state *s = k->state;
    float *squares = (float *)(void *)(scratch + s->squares);
    const float *x = (const float *)k->in[ICSEG_MAP_X] + image * t->height * t->width * t->in;
    int64_t offset = image * 4 * t->height * t->width * t->out;
    const float *residual = k->in[ICSEG_MAP_RESIDUAL], *bias;
    for (int64_t line = 0; line < t->height; line += s->lines) {
        int64_t lines = t->height - line < s->lines ? t->height - line : s->lines;
        icseg_primitive *product = s->product[lines != s->lines];
        icseg_operands operands = {.a = x + line * t->width * t->in, .out = squares};
        ICSEG_TRY(icseg_composed_get(k, product, &operands.b, &bias, error));
        ICSEG_TRY(icseg_primitive_run(product, operands, scratch + s->own, error));
        icseg_transpose_spread(t, line, lines, squares, bias, residual ? residual + offset : NULL,
                               (float *)k->out[0] + offset);
    }
    return ICSEG_OK;
}

static icseg_status run(const icseg_kernel *k, const icseg_run *r, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    for (int64_t image = 0; image < m->shape.batch; image++) ICSEG_TRY(run_image(k, image, r->scratch, error));
    return ICSEG_OK;
}

static double flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const icseg_transpose_map *m = node->attributes;
    const icseg_transpose_shape *t = &m->shape;
    return 8.0 * (double)t->batch * (double)t->height * (double)t->width * (double)t->in * (double)t->out;
}

const icseg_op icseg_op_conv_transpose2x2_map = {.name = "conv_transpose2x2_map",
                                                 .prepare = prepare,
                                                 .run = run,
                                                 .release = release,
                                                 .flops = flops,
                                                 .lazy_inputs =
                                                     1 << ICSEG_MAP_FIRST_WEIGHT | 1 << ICSEG_MAP_SECOND_WEIGHT,
                                                 .in_place = 1 << ICSEG_MAP_RESIDUAL};
